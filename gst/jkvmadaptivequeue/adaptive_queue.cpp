// SPDX-License-Identifier: LGPL-2.1-or-later
#include "adaptive_queue.h"

#include "queue_stats.h"

#include <algorithm>
#include <limits>

namespace jkvm {

AdaptiveQueue::AdaptiveQueue(GstElement *element, GstPad *sink, GstPad *src,
                             void (*emit)(GstElement *element, QueueSignal signal))
    : context_{element, sink, src, emit, &load_, Guarded<QueueState>(element, load_)},
      src_pad_(context_), sink_pad_(context_, src_pad_)
{}

const PropertyTable<AdaptiveQueue> &AdaptiveQueue::live_properties()
{
    using Q = AdaptiveQueue;
    constexpr auto any_time = between(nanoseconds(0), nanoseconds::max());
    constexpr auto any_number = between(0U, std::numeric_limits<guint>::max());
    static const PropertyTable<Q> table{
        computed<Q>("current-delay", "Current delay",
                    "Playout delay above the minimum transit of the last 64 s (ns)", any_time,
                    &Q::current_delay),
        computed<Q>("target-delay", "Target delay",
                    "Delay that the policy would choose if a change were free (ns)", any_time,
                    &Q::target_delay),
        computed<Q>("current-level-buffers", "Current level (buffers)",
                    "Number of buffers in the queue", any_number, &Q::level_buffers),
        computed<Q>("current-level-bytes", "Current level (bytes)",
                    "Amount of data in the queue (bytes)", any_number, &Q::level_bytes),
        computed<Q>("current-level-time", "Current level (time)",
                    "Duration of the audio in the queue (ns)", any_time, &Q::level_time),
        computed<Q>("stats", "Statistics", "Counters, and times in nanoseconds", AnyValue{},
                    &Q::stats),
    };
    return table;
}

bool AdaptiveQueue::set_property(const GValue *value, const GParamSpec *spec)
{
    bool has_latency_changed = false;
    {
        auto state = context_.state.lock();
        const auto latency_before = state->latency_terms();
        const auto mode_before = state->settings.latency_mode;
        if (!queue_properties().set(state->settings, value, spec))
            return false;
        state->configure();
        state->is_sink_queried = false;
        if (state->settings.latency_mode != mode_before) {
            state->latency_report.reset(state->initial_latency());
            state->timeline.reset(state->settings.latency_mode == LatencyMode::offset);
            state->is_discont = true;
        }
        has_latency_changed = state->latency_terms() != latency_before;
        state->clock.wake();
        state->changed.notify_all();
    }
    if (has_latency_changed)
        src_pad_.post_latency();
    return true;
}

bool AdaptiveQueue::get_property(GValue *value, const GParamSpec *spec) const
{
    return queue_properties().get(context_.state.lock()->settings, value, spec);
}

nanoseconds AdaptiveQueue::current_delay() const
{
    return std::max(context_.state.lock()->playout->delay(), nanoseconds(0));
}

nanoseconds AdaptiveQueue::target_delay() const
{
    return std::max(context_.state.lock()->playout->stats().target_delay, nanoseconds(0));
}

guint AdaptiveQueue::level_buffers() const
{
    return static_cast<guint>(context_.state.lock()->playout->level().frames);
}

guint AdaptiveQueue::level_bytes() const
{
    return static_cast<guint>(context_.state.lock()->playout->level().bytes);
}

nanoseconds AdaptiveQueue::level_time() const
{
    return context_.state.lock()->playout->level().time;
}

GstStructure *AdaptiveQueue::stats() const
{
    auto stats = collect_stats(context_);
    stats.scheduling = priority_.granted();
    return stats.release();
}

void AdaptiveQueue::on_message(GstMessage *message)
{
    if (GST_MESSAGE_TYPE(message) != GST_MESSAGE_STREAM_STATUS)
        return;
    priority_.on_message(message, context_.src, context_.state.lock()->settings.priority);
}

void AdaptiveQueue::open()
{
    load_.restart();
    sink_pad_.open();
    context_.state.lock()->open();
}

void AdaptiveQueue::play()
{
    context_.state.lock()->clock.start();
}

void AdaptiveQueue::pause()
{
    context_.state.lock()->clock.stop();
}

} // namespace jkvm
