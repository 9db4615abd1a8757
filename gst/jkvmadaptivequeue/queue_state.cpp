// SPDX-License-Identifier: LGPL-2.1-or-later
#include "queue_state.h"

#include "common/encoder_request.h"

#include <algorithm>

namespace jkvm {

using namespace std::chrono_literals;

namespace {

// Maximum size of one frame (RFC 6716); converts max-size-bytes to a duration.
constexpr std::size_t largest_packet = 1275;

} // namespace

QueueState::QueueState(GstElement *element, SystemLoad &system_load)
    : clock(element), load(system_load)
{
    gst_segment_init(&src_segment, GST_FORMAT_TIME);
    playout.emplace(settings.playout_config(sink_follows), load);
}

void QueueState::configure()
{
    const auto now = clock.now();
    playout->configure(settings.playout_config(sink_follows), now);
    encoder_load.configure(settings.is_optimizer_enabled, settings.optimizer, now);
}

void QueueState::open()
{
    items.clear(); // events that arrived after the source pad was deactivated
    buffers.clear();
    playout.emplace(settings.playout_config(sink_follows), load);
    encoder_load = {};
    encoder_load.configure(settings.is_optimizer_enabled, settings.optimizer, 0ns);
    latency = {};
    latency_watch = {};
    losses = {};
    dropped_new = 0;
    clock.reset();
    classifier = {};
    reset_stream();
}

void QueueState::begin_stream()
{
    playout->restart();
    encoder_load.restart(clock.now());
}

void QueueState::reset_stream()
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

std::size_t QueueState::push(GstRef<GstBuffer> buffer,
                             const BufferClassifier::Classified &classified, nanoseconds now)
{
    auto frame = classified.frame;
    frame.handle = buffers.next();
    buffers.put(std::move(buffer));
    playout->hold_minimum_transit(encoder_load.optimizer().level() > 0);
    // The sink renders at the timestamp plus the pipeline's latency, and blocks the task until
    // then.
    const auto is_offset = settings.latency_mode == LatencyMode::offset;
    const auto timestamp_delay = is_offset ? 0ns : last_offset.value_or(pipeline_latency);
    playout->set_downstream_hold(std::max(0ns, pipeline_latency - timestamp_delay));
    playout->arrive(frame, now);
    std::size_t dropped = 0;
    for (; const auto overflow = playout->drop_overflow(); ++dropped)
        (void)buffers.take(*overflow);
    if (dropped > 0)
        is_discont = true;
    encoder_load.record(
        {.bytes = frame.bytes, .duration = frame.duration, .is_quiet = classified.is_silence},
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
    return std::min(delay, maximum_delay()) + settings.output_margin;
}

nanoseconds QueueState::own_latency() const
{
    switch (settings.latency_mode) {
    case LatencyMode::offset:
        break;
    case LatencyMode::reported:
        return latency_report.value();
    case LatencyMode::fixed:
        return maximum_delay() + settings.output_margin;
    }
    return settings.output_margin;
}

nanoseconds QueueState::capacity(nanoseconds frame_duration) const
{
    const auto config = settings.playout_config(sink_follows);
    const auto frames = std::min({config.max_frames, FrameRing::capacity - 1,
                                  std::max<std::size_t>(config.max_bytes / largest_packet, 1)});
    return std::min(config.max_time, static_cast<std::int64_t>(frames) * frame_duration);
}

nanoseconds QueueState::maximum_delay() const
{
    const auto frame = classifier.last_duration();
    const auto room = std::max(capacity(frame) - frame / 2, 0ns);
    return std::min(settings.playout.max_delay, room);
}

void QueueState::answer_latency(GstQuery *query) const
{
    gboolean is_live = FALSE;
    GstClockTime upstream_minimum = 0;
    GstClockTime upstream_maximum = GST_CLOCK_TIME_NONE;
    gst_query_parse_latency(query, &is_live, &upstream_minimum, &upstream_maximum);
    if (is_live == FALSE) { // upstream can be blocked
        upstream_minimum = 0;
        upstream_maximum = GST_CLOCK_TIME_NONE;
    }
    const auto own = static_cast<GstClockTime>(own_latency().count());
    auto minimum = upstream_minimum + own;
    auto held = capacity(classifier.last_duration());
    auto base = upstream_minimum;
    if (settings.latency_mode == LatencyMode::offset) {
        // Upstream's latency and the playout delay are contained in the new timestamps, and a part
        // of the queue is needed for that delay.
        minimum = own;
        held -= maximum_delay();
        base = 0;
    }
    // A leaky queue empties upstream as soon as it has something; otherwise it blocks upstream when
    // it is full, which then holds as much as it can.
    auto maximum = base + static_cast<GstClockTime>(held.count());
    if (settings.leak == Leak::no)
        maximum = upstream_maximum != GST_CLOCK_TIME_NONE
                      ? maximum + upstream_maximum - upstream_minimum
                      : GST_CLOCK_TIME_NONE;
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
