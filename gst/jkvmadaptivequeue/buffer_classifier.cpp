// SPDX-License-Identifier: LGPL-2.1-or-later
#include "buffer_classifier.h"

#include "common/codec_caps.h"
#include "common/mapped_buffer.h"
#include <cstdlib>

namespace jkvm {

namespace {

using namespace std::chrono_literals;

// A DISCONT buffer whose transit differs by more than this belongs to a restarted sender.
constexpr auto minimum_epoch_difference = 1s;

// Sums of such times fit into 64 bits.
constexpr guint64 maximum_running_time = GstClockTime{100} * 365 * 24 * 3600 * GST_SECOND;
constexpr GstClockTime maximum_duration = 60 * GST_SECOND;

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
    media_end_.reset();
    last_transit_.reset();
}

bool BufferClassifier::set_caps(GstCaps *caps)
{
    const bool is_new = !caps_ || gst_caps_is_equal(caps_.get(), caps) == FALSE;
    caps_ = GstRef<GstCaps>::share(caps);
    codec_ = codec_of_caps(caps);
    return is_new;
}

std::optional<nanoseconds> running_time(const GstSegment &segment, GstClockTime time)
{
    if (segment.format != GST_FORMAT_TIME || !GST_CLOCK_TIME_IS_VALID(time))
        return std::nullopt;
    guint64 magnitude = 0;
    const int sign = gst_segment_to_running_time_full(&segment, GST_FORMAT_TIME, time, &magnitude);
    if (sign == 0 || magnitude > maximum_running_time)
        return std::nullopt;
    return nanoseconds(sign * static_cast<std::int64_t>(magnitude));
}

BufferClassifier::Classified BufferClassifier::classify(GstBuffer *buffer, nanoseconds now)
{
    Classified result{};
    auto &frame = result.frame;
    result.is_silence = GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_GAP);
    const bool has_duration =
        GST_BUFFER_DURATION(buffer) > 0 && GST_BUFFER_DURATION(buffer) <= maximum_duration;
    if (has_duration)
        last_duration_ = nanoseconds(GST_BUFFER_DURATION(buffer));
    frame.bytes = gst_buffer_get_size(buffer);
    frame.conceal_step = last_duration_;
    if (codec_) {
        const MappedBuffer packet(buffer, GST_MAP_READ);
        if (const auto facts = packet_facts(*codec_, packet.bytes())) {
            if (!has_duration)
                last_duration_ = facts->duration;
            frame.conceal_step = facts->conceal_step;
            frame.maximum_conceal_step = facts->maximum_conceal_step;
            result.is_silence |= facts->is_quiet;
        }
    }
    frame.is_quiet = result.is_silence;
    frame.duration = last_duration_;

    auto media_time = running_time(segment_, GST_BUFFER_PTS(buffer));
    if (!media_time)
        media_time = media_end_.value_or(now);
    media_end_ = *media_time + last_duration_;

    const auto transit = now - *media_time;
    const bool is_new_epoch = GST_BUFFER_IS_DISCONT(buffer) && last_transit_ &&
                              std::chrono::abs(transit - *last_transit_) > minimum_epoch_difference;
    last_transit_ = transit;

    frame.media_time = *media_time;
    result.is_new_epoch = is_new_epoch;
    return result;
}

} // namespace jkvm
