// SPDX-License-Identifier: LGPL-2.1-or-later
#include "capture/resume_results.h"

#include "core/base/guarded.h"

#include <alsa/asoundlib.h>

#include <dlfcn.h>

namespace jkvm::testing {

namespace {

Guarded<std::vector<int>> &left()
{
    static Guarded<std::vector<int>> results;
    return results;
}

} // namespace

void set_resume_results(const std::vector<int> &results)
{
    *left().lock() = results;
}

std::size_t resume_results_left()
{
    return left().lock()->size();
}

} // namespace jkvm::testing

// The dynamic linker finds the program's function before that of libasound.
extern "C" __attribute__((visibility("default"))) int snd_pcm_resume(snd_pcm_t *pcm)
{
    {
        auto results = jkvm::testing::left().lock();
        if (!results->empty()) {
            const int result = results->front();
            results->erase(results->begin());
            return result;
        }
    }
    static void *const library = dlopen("libasound.so.2", RTLD_LAZY | RTLD_NOLOAD);
    static const auto real =
        reinterpret_cast<int (*)(snd_pcm_t *)>(dlsym(library, "snd_pcm_resume"));
    return real(pcm);
}
