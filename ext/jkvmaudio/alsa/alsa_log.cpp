// SPDX-License-Identifier: LGPL-2.1-or-later
#include "alsa/alsa_log.h"

#include <array>
#include <cstdarg>
#include <cstdio>

// alsa/error.h of alsa-lib 1.2.8 declares snd_lib_error_set_local() outside of its extern "C".
extern "C" snd_local_error_handler_t jkvm_set_local_error_handler(
    snd_local_error_handler_t) __asm__("snd_lib_error_set_local");

namespace jkvm {

namespace {

void log_alsa_error(const char *file, int line, const char *function, int code, const char *format,
                    va_list arguments) noexcept
{
    std::array<char, 256> text{};
    std::vsnprintf(text.data(), text.size(), format, arguments);
    gst_debug_log(alsa_debug_category(), GST_LEVEL_DEBUG, file, function, line, nullptr,
                  "alsa-lib: %s%s%s", text.data(), code != 0 ? ": " : "",
                  code != 0 ? snd_strerror(code) : "");
}

} // namespace

GstDebugCategory *alsa_debug_category()
{
    static GstDebugCategory *const category =
        _gst_debug_category_new("jkvmalsa", 0, "ALSA devices of the jkvm elements");
    return category;
}

AlsaErrorLog::AlsaErrorLog() : previous_(jkvm_set_local_error_handler(log_alsa_error)) {}

AlsaErrorLog::~AlsaErrorLog()
{
    jkvm_set_local_error_handler(previous_);
}

} // namespace jkvm
