// SPDX-License-Identifier: LGPL-2.1-or-later
// Makes Opus caps like those of opusenc, which muxers, payloaders and decoders accept.
#pragma once

#include "common/gst_ref.h"

namespace jkvm {

/// The parameters of an OpusHead.
struct OpusStream {
    int rate = 48000; ///< sample rate of the encoder's input (Hz); informative
    int channels = 2; ///< 1 or 2
    int pre_skip = 0; ///< samples at 48 kHz that a player skips at the start
};

/// Returns audio/x-opus caps with the OpusHead and OpusTags as streamheader. `vendor`: vendor
/// string of the OpusTags.
GstRef<GstCaps> make_opus_caps(const OpusStream &stream, const char *vendor);

} // namespace jkvm
