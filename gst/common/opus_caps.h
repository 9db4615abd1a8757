// SPDX-License-Identifier: LGPL-2.1-or-later
// Opus caps as opusenc makes them, so that muxers, payloaders and decoders link.
#pragma once

#include "common/gst_ref.h"

namespace jkvm {

struct OpusStream {
    int rate = 48000; ///< of the sound before coding, Hz; decoding is always possible at 48000
    int channels = 2; ///< 1 or 2
    int pre_skip = 0; ///< samples at 48000 Hz that a player of the whole stream leaves out
};

/// audio/x-opus with the OpusHead and OpusTags as streamheader. `vendor` goes into the OpusTags.
GstRef<GstCaps> make_opus_caps(const OpusStream &stream, const char *vendor);

} // namespace jkvm
