// SPDX-License-Identifier: LGPL-2.1-or-later
#include "offer.h"

#include <cstring>
#include <string>

namespace jkvm::browser {

namespace {

/// Returns the payload type of Opus in the media section.
std::optional<int> find_opus(const GstSDPMedia &media)
{
    for (guint i = 0; i < gst_sdp_media_attributes_len(&media); ++i) {
        const auto *attribute = gst_sdp_media_get_attribute(&media, i);
        if (std::strcmp(attribute->key, "rtpmap") != 0 || attribute->value == nullptr)
            continue;
        const std::string_view map(attribute->value); // "111 opus/48000/2"
        const auto space = map.find(' ');
        constexpr std::string_view codec = "opus/48000";
        if (space == std::string_view::npos ||
            g_ascii_strncasecmp(attribute->value + space + 1, codec.data(), codec.size()) != 0)
            continue;
        const auto type = g_ascii_strtoull(attribute->value, nullptr, 10);
        if (type <= 127)
            return static_cast<int>(type);
    }
    return std::nullopt;
}

bool includes(const GstSDPMedia &media, MediaDirection direction)
{
    const char *opposite = direction == MediaDirection::receive ? "sendonly" : "recvonly";
    return gst_sdp_media_get_attribute_val(&media, opposite) == nullptr &&
           gst_sdp_media_get_attribute_val(&media, "inactive") == nullptr;
}

} // namespace

std::optional<Offer> parse_offer(std::string_view text, MediaDirection direction)
{
    GstSDPMessage *parsed = nullptr;
    gst_sdp_message_new(&parsed);
    SdpPtr sdp(parsed);
    const std::string copy(text);
    if (gst_sdp_message_parse_buffer(reinterpret_cast<const guint8 *>(copy.data()),
                                     static_cast<guint>(copy.size()), parsed) != GST_SDP_OK)
        return std::nullopt;
    for (guint i = 0; i < gst_sdp_message_medias_len(parsed); ++i) {
        const auto &media = *gst_sdp_message_get_media(parsed, i);
        if (g_strcmp0(gst_sdp_media_get_media(&media), "audio") != 0 || !includes(media, direction))
            continue;
        if (const auto type = find_opus(media))
            return Offer{.sdp = std::move(sdp), .payload_type = *type};
    }
    return std::nullopt;
}

} // namespace jkvm::browser
