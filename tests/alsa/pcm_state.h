// SPDX-License-Identifier: LGPL-2.1-or-later
// Translates between alsa-lib and the virtual device, for both directions of the test PCM.
#pragma once

#include "alsa/sample_format.h"

#include <alsa/asoundlib.h>

#include <cerrno>

namespace jkvm::testing {

inline SampleFormat sample_format(snd_pcm_format_t format)
{
    switch (format) {
    case SND_PCM_FORMAT_S24_LE:
        return SampleFormat::s24_le;
    case SND_PCM_FORMAT_S24_3LE:
        return SampleFormat::s24_3le;
    case SND_PCM_FORMAT_S32_LE:
        return SampleFormat::s32_le;
    default:
        return SampleFormat::s16_le;
    }
}

/// Returns the result of a transfer in this state of the stream; 0 if a transfer is possible.
inline int state_error(snd_pcm_state_t state)
{
    switch (state) {
    case SND_PCM_STATE_XRUN:
        return -EPIPE;
    case SND_PCM_STATE_SUSPENDED:
        return -ESTRPIPE;
    case SND_PCM_STATE_DISCONNECTED:
        return -ENODEV;
    default:
        return 0;
    }
}

} // namespace jkvm::testing
