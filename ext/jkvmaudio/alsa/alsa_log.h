// SPDX-License-Identifier: LGPL-2.1-or-later
// Provides the debug category of the ALSA code and routes alsa-lib's error messages to it.
#pragma once

#include <alsa/asoundlib.h>
#include <gst/gst.h>

namespace jkvm {

/// Returns the category "jkvmalsa". Any thread.
GstDebugCategory *alsa_debug_category();

/// While it exists, alsa-lib's error messages of the calling thread are logged (DEBUG) instead of
/// printed to stderr. Other threads and other users of alsa-lib in the process are not affected.
class AlsaErrorLog {
public:
    AlsaErrorLog();
    ~AlsaErrorLog();
    AlsaErrorLog(const AlsaErrorLog &) = delete;
    AlsaErrorLog &operator=(const AlsaErrorLog &) = delete;

private:
    snd_local_error_handler_t previous_;
};

} // namespace jkvm
