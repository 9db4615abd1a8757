// SPDX-License-Identifier: LGPL-2.1-or-later
#include "adaptive_queue_sink_pad.h"

GST_DEBUG_CATEGORY_EXTERN(jkvm_adaptive_queue_debug);
#define GST_CAT_DEFAULT jkvm_adaptive_queue_debug

namespace jkvm {

namespace {

// Not GST_EVENT_IS_SERIALIZED and GST_QUERY_IS_SERIALIZED, which combine two enumerations:
// deprecated in C++20.
bool is_serialized(GstEvent *event)
{
    return (gst_event_type_get_flags(GST_EVENT_TYPE(event)) & GST_EVENT_TYPE_SERIALIZED) != 0;
}

bool is_serialized(GstQuery *query)
{
    return (gst_query_type_get_flags(GST_QUERY_TYPE(query)) & GST_QUERY_TYPE_SERIALIZED) != 0;
}

} // namespace

GstFlowReturn AdaptiveQueueSinkPad::on_buffer(GstRef<GstBuffer> buffer)
{
    auto state = context_.state.lock();
    auto now = state->clock.now();
    const auto duration_before = state->classifier.last_duration();
    auto classified = state->classifier.classify(buffer.get(), now);
    auto &frame = classified.frame;
    frame.is_quiet |= is_quiet(state, buffer.get(), frame.duration);
    const auto has_room = [&] { return state->playout->has_room_for(frame); };
    if (state->settings.leak != Leak::downstream && !has_room()) {
        emit_overrun(state);
        state.wait(state->changed, [&] {
            return has_room() || state->settings.leak != Leak::no || state->flow != GST_FLOW_OK;
        });
        now = state->clock.now();
    }
    if (state->has_eos)
        return GST_FLOW_EOS;
    if (state->flow != GST_FLOW_OK)
        return state->flow;
    if (state->settings.leak == Leak::upstream && !has_room()) {
        ++state->dropped_new;
        state.unlocked([&] { log_refused(buffer.get()); });
        return GST_FLOW_OK;
    }
    if (frame.duration != duration_before &&
        state->capacity(frame.duration) != state->capacity(duration_before))
        state.unlocked([this] { src_pad_.post_latency(); });
    if (classified.is_new_epoch) // also after a long interruption of the same sender
        state->playout->restart();
    const auto dropped = state->push(std::move(buffer), classified, now);
    // The task is woken only if it has nothing earlier to wait for: the slot of a buffer ahead of
    // this one, or the end of the output so far. A buffer may advance the start of the output.
    if (state->awaits_arrival || dropped > 0 || state->playout->is_start_pending())
        state->clock.wake();
    if (dropped > 0) {
        const auto losses = state->losses.take(state->playout->counters(), now);
        state.unlocked([&] { log_losses(context_.element, dropped, losses); });
        emit_overrun(state);
    }
    return GST_FLOW_OK;
}

bool AdaptiveQueueSinkPad::is_quiet(QueueAccess &state, GstBuffer *packet, nanoseconds duration)
{
    if (!state->playout->is_drop_considered() || !state->classifier.has_codec()) {
        quiet_packets_.on_skipped();
        return false;
    }
    // Decoding takes so long that the task would push a buffer late.
    return state.unlocked([&] { return quiet_packets_.decode(packet, duration); });
}

void AdaptiveQueueSinkPad::log_refused(GstBuffer *buffer) const
{
    GST_DEBUG_OBJECT(context_.element, "dropping %" GST_PTR_FORMAT ": the queue is full",
                     static_cast<void *>(buffer));
}

void AdaptiveQueueSinkPad::emit_overrun(QueueAccess &state)
{
    if (state->settings.is_silent)
        return;
    state.unlocked([this] { context_.emit(context_.element, QueueSignal::overrun); });
}

bool AdaptiveQueueSinkPad::on_event(GstRef<GstEvent> event)
{
    switch (GST_EVENT_TYPE(event.get())) {
    case GST_EVENT_FLUSH_START: {
        const bool result = gst_pad_push_event(context_.src, event.release()) != FALSE;
        start_flush();
        return result;
    }
    case GST_EVENT_FLUSH_STOP: {
        gboolean resets_time = FALSE;
        gst_event_parse_flush_stop(event.get(), &resets_time);
        const bool result = gst_pad_push_event(context_.src, event.release()) != FALSE;
        stop_flush(resets_time != FALSE);
        return result;
    }
    default:
        return is_serialized(event.get())
                   ? queue_event(std::move(event))
                   : gst_pad_push_event(context_.src, event.release()) != FALSE;
    }
}

bool AdaptiveQueueSinkPad::queue_event(GstRef<GstEvent> event)
{
    const auto type = GST_EVENT_TYPE(event.get());
    bool restarts = false;
    GstFlowReturn refused = GST_FLOW_OK;
    {
        auto state = context_.state.lock();
        const bool is_new_stream = type == GST_EVENT_STREAM_START || type == GST_EVENT_SEGMENT;
        if (is_new_stream && (state->has_eos || state->flow == GST_FLOW_EOS)) {
            restarts = state->flow == GST_FLOW_EOS;
            if (restarts)
                state->flow = GST_FLOW_OK;
            state->has_eos = state->has_passed_eos = false;
            state->begin_stream();
        }
        if (state->has_eos)
            return false;
        // A failed sticky event is not reported: the next buffer reports the failure.
        if (state->flow != GST_FLOW_OK && (!is_sticky(type) || type == GST_EVENT_EOS)) {
            refused = state->flow;
        } else {
            apply(*state, event.get());
            state->items.push(std::move(event), state->buffers.next());
            state->clock.wake();
        }
    }
    if (refused != GST_FLOW_OK && type == GST_EVENT_EOS && is_failure(refused))
        GST_ELEMENT_FLOW_ERROR(context_.element, refused);
    if (restarts)
        src_pad_.start_task();
    return refused == GST_FLOW_OK;
}

/// Applies the event to the buffers that arrive after it.
void AdaptiveQueueSinkPad::apply(QueueState &state, GstEvent *event)
{
    switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_STREAM_START:
        state.begin_stream();
        break;
    case GST_EVENT_CAPS: {
        GstCaps *caps = nullptr;
        gst_event_parse_caps(event, &caps);
        if (state.classifier.set_caps(caps))
            state.begin_stream();
        const auto *format = gst_caps_get_structure(caps, 0);
        gint rate = 0;
        gint channels = 0;
        if (gst_structure_get_int(format, "rate", &rate) &&
            gst_structure_get_int(format, "channels", &channels))
            state.encoder_load.set_format(static_cast<std::uint32_t>(rate),
                                          static_cast<std::uint32_t>(channels));
        break;
    }
    case GST_EVENT_SEGMENT: {
        const GstSegment *segment = nullptr;
        gst_event_parse_segment(event, &segment);
        state.classifier.set_segment(*segment);
        break;
    }
    case GST_EVENT_EOS:
        state.has_eos = true;
        state.playout->finish();
        break;
    default:
        break;
    }
}

bool AdaptiveQueueSinkPad::on_query(GstQuery *query)
{
    if (is_serialized(query))
        return queue_query(query);
    return gst_pad_query_default(context_.sink, GST_OBJECT(context_.element), query) != FALSE;
}

bool AdaptiveQueueSinkPad::queue_query(GstQuery *query)
{
    auto state = context_.state.lock();
    if (state->flow != GST_FLOW_OK)
        return false;
    state->items.push(query, state->buffers.next());
    state->clock.wake();
    const auto is_answered = [&] { return state->answer && state->answer->query == query; };
    state.wait(state->changed, [&] {
        return is_answered() || (state->flow != GST_FLOW_OK && state->query_in_progress != query);
    });
    state->items.remove(query);
    const bool result = is_answered() && state->answer->result;
    state->answer.reset();
    return result;
}

void AdaptiveQueueSinkPad::start_flush()
{
    {
        auto state = context_.state.lock();
        state->flow = GST_FLOW_FLUSHING;
        state->clock.wake();
        state->changed.notify_all();
    }
    gst_pad_pause_task(context_.src);
}

void AdaptiveQueueSinkPad::stop_flush(bool resets_time)
{
    std::vector<GstRef<GstEvent>> events;
    quiet_packets_.reset();
    {
        auto state = context_.state.lock();
        events = state->clear();
        state->encoder_load.restart(state->clock.now());
        if (resets_time)
            state->clock.reset();
        state->reset_stream();
        state->flow = GST_FLOW_OK;
    }
    keep_sticky(context_.src, events);
    if (gst_pad_is_active(context_.src) != FALSE)
        src_pad_.start_task();
}

} // namespace jkvm
