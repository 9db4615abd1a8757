// SPDX-License-Identifier: LGPL-2.1-or-later
#include "common/codec_caps.h"

namespace jkvm {

std::optional<Codec> codec_of_caps(const GstCaps *caps)
{
    const auto *format = gst_caps_get_structure(caps, 0);
    if (gst_structure_has_name(format, "audio/x-opus") != FALSE)
        return Codec::opus;
    return std::nullopt;
}

GstRef<GstCaps> make_stream_caps(Codec codec, const OpusStream &stream, const char *vendor)
{
    switch (codec) {
    case Codec::opus:
        return make_opus_caps(stream, vendor);
    }
    return {};
}

} // namespace jkvm
