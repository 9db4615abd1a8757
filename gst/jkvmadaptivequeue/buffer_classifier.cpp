// SPDX-License-Identifier: LGPL-2.1-or-later
#include "buffer_classifier.h"

#include "common/mapped_buffer.h"
#include "core/opus/opus_packet.h"

#include <cstdlib>

namespace jkvm {

namespace {

using namespace std::chrono_literals;

// A stream that is marked as interrupted and stands so far from where it stood was started anew.
constexpr auto epoch_difference = 1s;

// Sums of such times are still within 64 bits.
constexpr guint64 longest_running_time = GstClockTime{100} * 365 * 24 * 3600 * GST_SECOND;
constexpr GstClockTime longest_duration = 60 * GST_SECOND;

} // namespace

GstSegment BufferClassifier::make_segment()
{
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    return segment;
}

void BufferClassifier::reset()
{
    segment_ = make_segment();
    quiet_ = {};
    media_end_.reset();
    last_transit_.reset();
}

bool BufferClassifier::set_caps(GstCaps *caps)
{
    const bool is_new = !caps_ || gst_caps_is_equal(caps_.get(), caps) == FALSE;
    caps_ = GstRef<GstCaps>::share(caps);
    is_opus_ = gst_structure_has_name(gst_caps_get_structure(caps, 0), "audio/x-opus") != FALSE;
    return is_new;
}

std::optional<nanoseconds> running_time(const GstSegment &segment, GstClockTime time)
{
    if (segment.format != GST_FORMAT_TIME || !GST_CLOCK_TIME_IS_VALID(time))
        return std::nullopt;
    guint64 magnitude = 0;
    const int sign = gst_segment_to_running_time_full(&segment, GST_FORMAT_TIME, time, &magnitude);
    if (sign == 0 || magnitude > longest_running_time)
        return std::nullopt;
    return nanoseconds(sign * static_cast<std::int64_t>(magnitude));
}

BufferClassifier::Read BufferClassifier::read(GstBuffer *buffer, nanoseconds now)
{
    std::optional<OpusPacketFacts> facts;
    bool is_quiet = GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_GAP);
    if (is_opus_) {
        const MappedBuffer packet(buffer, GST_MAP_READ);
        facts = opus_packet_facts(packet.bytes());
        is_quiet = quiet_.is_quiet(packet.bytes()) || is_quiet;
    }

    if (GST_BUFFER_DURATION(buffer) > 0 && GST_BUFFER_DURATION(buffer) <= longest_duration)
        last_duration_ = nanoseconds(GST_BUFFER_DURATION(buffer));
    else if (facts)
        last_duration_ = facts->duration();

    auto media_time = running_time(segment_, GST_BUFFER_PTS(buffer));
    if (!media_time)
        media_time = media_end_.value_or(now);
    media_end_ = *media_time + last_duration_;

    const auto transit = now - *media_time;
    const bool is_far =
        last_transit_ && std::chrono::abs(transit - *last_transit_) > epoch_difference;
    last_transit_ = transit;

    return {{.media_time = *media_time,
             .duration = last_duration_,
             .quantum = facts ? conceal_quantum(facts->mode) : last_duration_,
             .quiet = is_quiet},
            is_far && GST_BUFFER_IS_DISCONT(buffer)};
}

} // namespace jkvm
