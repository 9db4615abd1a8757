// SPDX-License-Identifier: LGPL-2.1-or-later
#include "common/opus_caps.h"

#include <gst/pbutils/pbutils.h>
#include <gst/tag/tag.h>

#include <array>
#include <cstring>

namespace jkvm {

GstRef<GstCaps> make_opus_caps(const OpusStream &stream, const char *vendor)
{
    // Channel mapping family 0 (RFC 7845, section 5.1.1.1): one stream, coupled if stereo.
    const auto head = GstRef<GstBuffer>::adopt(gst_codec_utils_opus_create_header(
        static_cast<guint32>(stream.rate), static_cast<guint8>(stream.channels), 0, 1,
        stream.channels == 2 ? 1 : 0, nullptr, static_cast<guint16>(stream.pre_skip), 0));
    static constexpr std::array<guint8, 8> magic{'O', 'p', 'u', 's', 'T', 'a', 'g', 's'};
    const auto no_tags = GstRef<GstTagList>::adopt(gst_tag_list_new_empty());
    const auto tags = GstRef<GstBuffer>::adopt(
        gst_tag_list_to_vorbiscomment_buffer(no_tags.get(), magic.data(), magic.size(), vendor));
    return GstRef<GstCaps>::adopt(
        gst_codec_utils_opus_create_caps_from_header(head.get(), tags.get()));
}

} // namespace jkvm
