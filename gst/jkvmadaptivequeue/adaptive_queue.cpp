// SPDX-License-Identifier: LGPL-2.1-or-later
#include "adaptive_queue.h"

#include "queue_stats.h"

#include <algorithm>

namespace jkvm {

AdaptiveQueue::AdaptiveQueue(GstElement *element, GstPad *sink, GstPad *src,
                             void (*emit)(GstElement *element, QueueSignal signal))
    : context_{element, sink, src, emit, Guarded<QueueState>(element)}, src_pad_(context_),
      sink_pad_(context_, src_pad_)
{}

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
    const auto stats = [this] {
        auto state = context_.state.lock();
        return queue_stats(*state);
    }();
    return stats.release();
}

void AdaptiveQueue::answer_latency(GstQuery *query) const
{
    context_.state.lock()->answer_latency(query);
}

void AdaptiveQueue::open()
{
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
