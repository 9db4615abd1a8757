// SPDX-License-Identifier: LGPL-2.1-or-later
#include "queue_state.h"

#include "common/encoder_request.h"

#include <algorithm>

namespace jkvm {

using namespace std::chrono_literals;

QueueState::QueueState(GstElement *element) : clock(element)
{
    gst_segment_init(&src_segment, GST_FORMAT_TIME);
    playout.emplace(settings.playout_config(), load);
}

void QueueState::configure()
{
    const auto now = clock.now();
    playout->configure(settings.playout_config(), now);
    encoder_load.configure(settings.is_optimizer_enabled, settings.optimizer, now);
}

void QueueState::open()
{
    items.clear(); // events that arrived after the source pad was deactivated
    buffers.clear();
    playout.emplace(settings.playout_config(), load);
    encoder_load = {};
    encoder_load.configure(settings.is_optimizer_enabled, settings.optimizer, 0ns);
    latency = {};
    losses = {};
    dropped_new = 0;
    clock.reset();
    classifier = {};
    forget_stream();
}

void QueueState::begin_stream()
{
    playout->restart();
    encoder_load.restart(clock.now());
}

void QueueState::forget_stream()
{
    classifier.reset();
    gst_segment_init(&src_segment, GST_FORMAT_TIME);
    timeline.reset(settings.latency_mode == LatencyMode::offset);
    latency_report.reset(initial_latency());
    next_latency_check = 0ns;
    is_dry = true;
    is_discont = true;
    last_offset.reset();
    has_eos = false;
    has_passed_eos = false;
}

std::vector<GstRef<GstEvent>> QueueState::clear()
{
    playout->flush();
    buffers.clear();
    return items.clear();
}

std::size_t QueueState::push(GstRef<GstBuffer> buffer, PlayoutFrame frame, nanoseconds now)
{
    frame.handle = buffers.next();
    buffers.put(std::move(buffer));
    playout->hold_minimum_transit(encoder_load.optimizer().level() > 0);
    playout->arrive(frame, now);
    std::size_t dropped = 0;
    for (; const auto overflow = playout->drop_overflow(); ++dropped)
        (void)buffers.take(*overflow);
    if (dropped > 0)
        is_discont = true;
    encoder_load.record(
        {.bytes = frame.bytes, .duration = frame.duration, .is_quiet = frame.is_quiet},
        playout->lateness(), now);
    return dropped;
}

const SerializedItems::Item *QueueState::due_item() const
{
    return items.due(playout->oldest());
}

nanoseconds QueueState::initial_latency() const
{
    const auto &config = settings.playout;
    const auto delay = config.policy == PolicyKind::fixed
                           ? std::clamp(config.fixed.delay, config.min_delay,
                                        std::max(config.min_delay, config.max_delay))
                           : config.min_delay;
    return delay + settings.output_margin;
}

nanoseconds QueueState::own_latency() const
{
    switch (settings.latency_mode) {
    case LatencyMode::offset:
        break;
    case LatencyMode::reported:
        return latency_report.value();
    case LatencyMode::fixed:
        return settings.playout.max_delay + settings.output_margin;
    }
    return settings.output_margin;
}

void QueueState::answer_latency(GstQuery *query) const
{
    gboolean is_live = FALSE;
    GstClockTime minimum = 0;
    GstClockTime maximum = GST_CLOCK_TIME_NONE;
    gst_query_parse_latency(query, &is_live, &minimum, &maximum);
    if (is_live == FALSE) { // upstream can be blocked
        minimum = 0;
        maximum = GST_CLOCK_TIME_NONE;
    }
    const auto own = static_cast<GstClockTime>(own_latency().count());
    // With LatencyMode::offset the upstream latency is contained in the new timestamps.
    minimum = settings.latency_mode == LatencyMode::offset ? own : minimum + own;

    const auto room = settings.max_time > 0ns ? static_cast<GstClockTime>(settings.max_time.count())
                                              : GST_CLOCK_TIME_NONE;
    if (settings.leak != Leak::no)
        maximum = std::min(maximum, room);
    else if (maximum != GST_CLOCK_TIME_NONE)
        maximum = room != GST_CLOCK_TIME_NONE ? maximum + room : room;
    gst_query_set_latency(query, TRUE, minimum, std::max(minimum, maximum));
}

GstRef<GstEvent> QueueState::take_encoder_request()
{
    const auto request = encoder_load.take_request();
    if (!request)
        return {};
    return GstRef<GstEvent>::adopt(request->is_withdrawn ? make_encoder_withdrawal(request->config)
                                                         : make_encoder_request(request->config));
}

GstClockTime QueueState::position_of(nanoseconds running_time) const
{
    const auto time = static_cast<GstClockTime>(std::max(running_time, 0ns).count());
    if (src_segment.format != GST_FORMAT_TIME)
        return time;
    guint64 position = 0;
    const int sign =
        gst_segment_position_from_running_time_full(&src_segment, GST_FORMAT_TIME, time, &position);
    return sign > 0 ? position : GST_CLOCK_TIME_NONE;
}

void keep_sticky(GstPad *src, const std::vector<GstRef<GstEvent>> &events)
{
    for (const auto &event : events) {
        const auto type = GST_EVENT_TYPE(event.get());
        if (is_sticky(type) && type != GST_EVENT_SEGMENT && type != GST_EVENT_EOS)
            gst_pad_store_sticky_event(src, event.get());
    }
}

} // namespace jkvm
