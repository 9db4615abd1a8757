// SPDX-License-Identifier: LGPL-2.1-or-later
// The streaming thread of jkvmaudiosink: queues packets and gaps for the playback thread in time.
#include "audio_sink.h"

#include "common/clocks.h"
#include "common/mapped_buffer.h"

#include <algorithm>
#include <utility>

#define GST_CAT_DEFAULT jkvm_audio_sink_debug

namespace jkvm {

using namespace std::chrono_literals;

namespace {

// A packet that was to be queued earlier than that arrived late.
constexpr GstClockTimeDiff longest_delay = GST_MSECOND;
// After a loss of up to this, the next packet is queued at once.
constexpr GstClockTime longest_loss = 120 * GST_MSECOND;

} // namespace

std::optional<MonotonicTime> AudioSink::due_at(GstClockTime running) const
{
    if (!GST_CLOCK_TIME_IS_VALID(running) || !gst_base_sink_get_sync(sink_))
        return std::nullopt;
    const auto of = clock_of(element_);
    if (!of.clock)
        return std::nullopt;
    const auto [now, monotonic] = read_together(
        [&of] { return gst_clock_get_time(of.clock.get()); }, [] { return monotonic_now(); });
    const nanoseconds due(static_cast<GstClockTimeDiff>(running) + of.base_time +
                          static_cast<GstClockTimeDiff>(gst_base_sink_get_latency(sink_)) +
                          gst_base_sink_get_ts_offset(sink_));
    return monotonic + (due - nanoseconds(static_cast<GstClockTimeDiff>(now)));
}

GstClockTime AudioSink::queueing_time(GstClockTime running) const
{
    const bool follows_loss = GST_CLOCK_TIME_IS_VALID(running) &&
                              GST_CLOCK_TIME_IS_VALID(audio_end_) && running > audio_end_ &&
                              running - audio_end_ <= longest_loss;
    return follows_loss ? audio_end_ : running;
}

GstFlowReturn AudioSink::wait(GstClockTime running, bool &is_overdue)
{
    // Also waits for the end of the preroll.
    GstClockTimeDiff lateness = 0;
    const auto flow = gst_base_sink_wait(sink_, queueing_time(running), &lateness);
    is_overdue = lateness > longest_delay;
    if (flow != GST_FLOW_OK)
        return flow;
    // Only a stream that is not synchronised can fill the queue.
    while (thread_->is_full()) {
        thread_->wait_for_room();
        if (control_.is_set()) {
            if (const auto paused = gst_base_sink_wait_preroll(sink_); paused != GST_FLOW_OK)
                return paused;
        }
    }
    return GST_FLOW_OK;
}

GstFlowReturn AudioSink::play(const Packet &packet)
{
    bool is_overdue = false;
    if (const auto flow = wait(packet.running, is_overdue); flow != GST_FLOW_OK)
        return flow;
    thread_->set_gain(gain_);
    const auto due = due_at(packet.running);
    thread_->push(
        {.format = *format_,
         .due = due,
         .timestamp = nanoseconds(due ? packet.running : 0),
         .duration = nanoseconds(GST_CLOCK_TIME_IS_VALID(packet.duration) ? packet.duration : 0),
         .captured = packet.captured,
         .is_overdue = is_overdue},
        packet.data);
    return GST_FLOW_OK;
}

std::optional<WallTime> AudioSink::capture_time_of(GstBuffer *buffer) const
{
    const auto *meta = gst_buffer_get_reference_timestamp_meta(buffer, unix_time_.get());
    if (meta == nullptr)
        return std::nullopt;
    return WallTime(nanoseconds(meta->timestamp));
}

GstFlowReturn AudioSink::render(GstBuffer *buffer)
{
    if (const auto flow = check_device(); flow != GST_FLOW_OK)
        return flow;
    post_latency_change();
    post_stats_if_due();
    const auto time = GST_BUFFER_PTS(buffer);
    auto running = gst_segment_to_running_time(&sink_->segment, GST_FORMAT_TIME, time);
    if (GST_CLOCK_TIME_IS_VALID(time) && !GST_CLOCK_TIME_IS_VALID(running))
        return GST_FLOW_OK; // outside of the segment
    const auto stream_time = gst_segment_to_stream_time(&sink_->segment, GST_FORMAT_TIME, time);
    if (GST_CLOCK_TIME_IS_VALID(stream_time))
        gst_object_sync_values(GST_OBJECT(element_), stream_time);
    const MappedBuffer mapped(buffer, GST_MAP_READ);
    const auto data = std::span<const std::byte>(mapped.bytes());
    if (format_->coding != PlaybackFormat::Coding::opus)
        return render_samples(buffer, data, running);
    const auto flow = play({.data = data,
                            .running = running,
                            .duration = GST_BUFFER_DURATION(buffer),
                            .captured = capture_time_of(buffer)});
    if (GST_CLOCK_TIME_IS_VALID(running) && GST_BUFFER_DURATION_IS_VALID(buffer))
        end_ = audio_end_ = running + GST_BUFFER_DURATION(buffer);
    return flow;
}

GstFlowReturn AudioSink::render_samples(GstBuffer *buffer, std::span<const std::byte> data,
                                        GstClockTime running)
{
    // Raw buffers may have any length and are queued in pieces of 20 ms.
    constexpr std::size_t frames = VariableResampler::rate / 50;
    const std::size_t bytes =
        std::size_t{format_->channels} * (format_->coding == PlaybackFormat::Coding::s16 ? 2 : 4);
    const auto total = data.size() / bytes;
    auto captured = capture_time_of(buffer);
    // A stretched buffer has stretched pieces.
    const auto duration = total > 0 && GST_BUFFER_DURATION_IS_VALID(buffer)
                              ? GST_BUFFER_DURATION(buffer)
                              : gst_util_uint64_scale(total, GST_SECOND, VariableResampler::rate);
    for (std::size_t done = 0; done < total;) {
        const auto count = std::min(total - done, frames);
        const auto begin = gst_util_uint64_scale(done, duration, total);
        const auto end = gst_util_uint64_scale(done + count, duration, total);
        const bool is_timed = GST_CLOCK_TIME_IS_VALID(running);
        const auto flow = play({.data = data.subspan(done * bytes, count * bytes),
                                .running = is_timed ? running + begin : running,
                                .duration = end - begin,
                                .captured = std::exchange(captured, std::nullopt)});
        if (flow != GST_FLOW_OK)
            return flow;
        if (is_timed)
            end_ = audio_end_ = running + end;
        done += count;
    }
    return GST_FLOW_OK;
}

GstFlowReturn AudioSink::on_event(GstEvent *event)
{
    switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_GAP:
        return conceal(event);
    case GST_EVENT_EOS:
        return drain();
    default:
        return GST_FLOW_OK;
    }
}

GstFlowReturn AudioSink::conceal(GstEvent *event)
{
    GstClockTime time = 0;
    GstClockTime duration = 0;
    gst_event_parse_gap(event, &time, &duration);
    const auto running = gst_segment_to_running_time(&sink_->segment, GST_FORMAT_TIME, time);
    if (const auto flow = check_device(); flow != GST_FLOW_OK)
        return flow;
    // A GAP may precede the caps.
    if (!format_ || !GST_CLOCK_TIME_IS_VALID(running) || !GST_CLOCK_TIME_IS_VALID(duration))
        return GST_FLOW_OK;
    if (const auto due = due_at(running))
        thread_->push({.kind = PlaybackItem::Kind::gap,
                       .format = *format_,
                       .due = due,
                       .duration = nanoseconds(duration)},
                      {});
    end_ = running + duration;
    return GST_FLOW_OK;
}

GstFlowReturn AudioSink::drain()
{
    // Longer than any playout error. A device whose pointer has stopped is not
    // waited for.
    constexpr auto limit = 500ms;
    if (!format_)
        return GST_FLOW_OK;
    thread_->push({.kind = PlaybackItem::Kind::end, .format = *format_}, {});
    if (GST_CLOCK_TIME_IS_VALID(end_)) {
        const auto flow =
            gst_base_sink_wait(sink_, end_ + gst_base_sink_get_render_delay(sink_), nullptr);
        if (flow != GST_FLOW_OK)
            return flow;
    }
    const auto deadline = monotonic_now() + limit;
    for (auto now = monotonic_now(); now < deadline; now = monotonic_now()) {
        const bool is_idle = thread_->is_idle();
        const auto end = thread_->snapshot().playout_end;
        if (is_idle && end <= now)
            break;
        if (control_.sleep_until(std::min(is_idle ? end : now + 10ms, deadline))) {
            if (const auto flow = gst_base_sink_wait_preroll(sink_); flow != GST_FLOW_OK)
                return flow;
        }
    }
    return GST_FLOW_OK;
}

} // namespace jkvm
