// SPDX-License-Identifier: LGPL-2.1-or-later
// Maps caps to the codec of the packets in the buffers, and back.
#pragma once

#include "common/gst_ref.h"
#include "common/opus_caps.h"
#include "core/base/codec.h"

#include <gst/gst.h>

#include <optional>

namespace jkvm {

/// Caps of streams with one packet per buffer, as opusenc, opusparse and rtpopusdepay make them.
#define JKVM_STREAM_CAPS "audio/x-opus, channel-mapping-family = (int) 0"

/// Returns nothing for caps that no codec has.
std::optional<Codec> codec_of_caps(const GstCaps *caps);
/// Returns the caps of a stream of the codec; `vendor` as for make_opus_caps().
GstRef<GstCaps> make_stream_caps(Codec codec, const OpusStream &stream, const char *vendor);

} // namespace jkvm
