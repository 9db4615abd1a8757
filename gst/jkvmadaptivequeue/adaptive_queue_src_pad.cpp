// SPDX-License-Identifier: LGPL-2.1-or-later
#include "adaptive_queue_src_pad.h"

#include "common/timestamp_following.h"

#include <utility>

GST_DEBUG_CATEGORY_EXTERN(jkvm_adaptive_queue_debug);
#define GST_CAT_DEFAULT jkvm_adaptive_queue_debug

namespace jkvm {

AdaptiveQueueSrcPad::AdaptiveQueueSrcPad(QueueContext &context)
    : context_(context), reports_(context)
{}

// --- activation ---

void AdaptiveQueueSrcPad::activate(bool is_active)
{
    {
        auto state = context_.state.lock();
        state->flow = is_active ? GST_FLOW_OK : GST_FLOW_FLUSHING;
        state->is_sink_queried = false;
        state->clock.wake();
        state->changed.notify_all();
    }
    if (is_active)
        return start_task();
    gst_pad_stop_task(context_.src);
    GstRef<GstEvent> request;
    {
        auto state = context_.state.lock();
        state->clear();
        state->encoder_load.restart(state->clock.now());
        request = state->take_encoder_request();
    }
    // Upstream is still active: the sink pad and the elements before it are deactivated later.
    push_request(std::move(request));
}

void AdaptiveQueueSrcPad::start_task()
{
    gst_pad_start_task(
        context_.src,
        [](gpointer self) noexcept { static_cast<AdaptiveQueueSrcPad *>(self)->run(); }, this,
        nullptr);
}

// --- events and queries from downstream ---

bool AdaptiveQueueSrcPad::on_event(GstEvent *event)
{
    if (GST_EVENT_TYPE(event) == GST_EVENT_RECONFIGURE)
        on_reconfigure();
    else if (GST_EVENT_TYPE(event) == GST_EVENT_LATENCY)
        on_latency(event);
    return gst_pad_event_default(context_.src, GST_OBJECT(context_.element), event) != FALSE;
}

bool AdaptiveQueueSrcPad::on_query(GstQuery *query)
{
    if (GST_QUERY_TYPE(query) != GST_QUERY_LATENCY)
        return gst_pad_query_default(context_.src, GST_OBJECT(context_.element), query) != FALSE;
    if (gst_pad_peer_query(context_.sink, query) == FALSE)
        return false;
    context_.state.lock()->answer_latency(query);
    return true;
}

void AdaptiveQueueSrcPad::on_reconfigure()
{
    {
        auto state = context_.state.lock();
        state->is_sink_queried = false;
        state->clock.wake();
        if (state->flow != GST_FLOW_NOT_LINKED)
            return;
        state->flow = GST_FLOW_OK;
    }
    start_task();
}

void AdaptiveQueueSrcPad::on_latency(GstEvent *event)
{
    GstClockTime latency = 0;
    gst_event_parse_latency(event, &latency);
    context_.state.lock()->pipeline_latency = nanoseconds(latency);
}

// --- the task ---

void AdaptiveQueueSrcPad::run()
{
    PendingSignals pending;
    if (follows_load_)
        (void)context_.load->measure();
    {
        auto state = context_.state.lock();
        follows_load_ = state->settings.playout.policy == PolicyKind::weighted;
        if (state->flow == GST_FLOW_OK)
            step(state, pending);
        if (state->flow != GST_FLOW_OK)
            end_task(state);
        if (state->settings.is_silent)
            pending.underrun = pending.running = false;
    }
    reports_.send(pending);
}

void AdaptiveQueueSrcPad::step(QueueAccess &state, PendingSignals &pending)
{
    const auto now = state->clock.now();
    state->encoder_load.on_idle(now);
    if (auto request = state->take_encoder_request())
        return state.unlocked([&] { push_request(std::move(request)); });
    if (!std::exchange(state->is_sink_queried, true))
        return query_sink(state);
    const auto *item = state->due_item();
    const auto *event = item != nullptr ? std::get_if<GstRef<GstEvent>>(item) : nullptr;
    const bool is_gap = event != nullptr && GST_EVENT_TYPE(event->get()) == GST_EVENT_GAP;
    if (item != nullptr && !is_gap)
        return pass_item(state);
    // Buffers and gaps wait for the running time.
    if (!state->clock.is_running())
        return state->clock.wait(state);
    if (is_gap && !state->last_offset)
        return pass_gap(state);
    if (is_gap && state->playout->level().frames > 0) // Playout fills the gap before them
        return state->items.pop();
    const auto action = state->playout->next(now);
    const auto *wait = std::get_if<Playout::Wait>(&action);
    const bool is_end = std::holds_alternative<Playout::End>(action);
    if (!is_gap || (wait == nullptr && !is_end))
        return act(state, action, now, pending);
    if (is_end || wait->until == Playout::Wait::indefinitely)
        pass_gap(state);
    else // Playout will fill it
        state->items.pop();
}

void AdaptiveQueueSrcPad::end_task(QueueAccess &state)
{
    const auto flow = state->flow;
    gst_pad_pause_task(context_.src);
    const bool is_eos_pending =
        flow != GST_FLOW_FLUSHING && state->has_eos && !state->has_passed_eos;
    if (is_eos_pending)
        state->has_passed_eos = true;
    std::vector<GstRef<GstEvent>> events;
    if (flow == GST_FLOW_EOS)
        events = state->clear();
    GstRef<GstEvent> request;
    if (flow != GST_FLOW_FLUSHING) { // the lateness is not observed any longer
        state->encoder_load.restart(state->clock.now());
        request = state->take_encoder_request();
    }
    state->changed.notify_all();
    state.unlocked([&] {
        push_request(std::move(request));
        keep_sticky(context_.src, events);
        if (is_eos_pending)
            push_eos(flow);
    });
}

/// Ends the stream after a failure that no further buffer will return to upstream.
void AdaptiveQueueSrcPad::push_eos(GstFlowReturn flow) const
{
    if (is_failure(flow))
        GST_ELEMENT_FLOW_ERROR(context_.element, flow);
    gst_pad_push_event(context_.src, gst_event_new_eos());
}

GstFlowReturn AdaptiveQueueSrcPad::push_buffer(GstBuffer *buffer) const
{
    GST_LOG_OBJECT(context_.element, "pushing %" GST_PTR_FORMAT, static_cast<void *>(buffer));
    return gst_pad_push(context_.src, buffer);
}

void AdaptiveQueueSrcPad::wait_for_arrival(QueueAccess &state)
{
    state->awaits_arrival = true;
    if (const auto deadline = state->encoder_load.idle_deadline())
        state->clock.wait_until(*deadline, state);
    else
        state->clock.wait(state);
    state->awaits_arrival = false;
}

/// With adapt=auto the delay is slewed if the sink follows.
void AdaptiveQueueSrcPad::query_sink(QueueAccess &state)
{
    if (state->settings.adapt != Adapt::automatic)
        return;
    const bool follows = state.unlocked([this] { return sink_follows_timestamps(context_.src); });
    if (std::exchange(state->sink_follows, follows) == follows)
        return;
    state->configure();
    state.unlocked([&] { reports_.log_sink(follows); });
}

// --- serialized items ---

void AdaptiveQueueSrcPad::pass_item(QueueAccess &state)
{
    auto item = state->items.take();
    if (auto **query = std::get_if<GstQuery *>(&item))
        pass_query(state, *query);
    else
        pass_event(state, std::get<GstRef<GstEvent>>(std::move(item)));
}

void AdaptiveQueueSrcPad::pass_query(QueueAccess &state, GstQuery *query) const
{
    state->query_in_progress = query;
    const bool result =
        state.unlocked([&] { return gst_pad_peer_query(context_.src, query) != FALSE; });
    state->query_in_progress = nullptr;
    state->answer = QueueState::Answer{query, result};
    state->changed.notify_all();
}

void AdaptiveQueueSrcPad::pass_event(QueueAccess &state, GstRef<GstEvent> event)
{
    switch (GST_EVENT_TYPE(event.get())) {
    case GST_EVENT_STREAM_START:
        state->is_sink_queried = false;
        break;
    case GST_EVENT_SEGMENT: {
        auto &segment = state->src_segment;
        gst_event_copy_segment(event.get(), &segment);
        if (state->timeline.follows_playout() && segment.stop != GST_CLOCK_TIME_NONE) {
            // The delay moves the buffers beyond the stop position.
            const auto seqnum = gst_event_get_seqnum(event.get());
            segment.stop = GST_CLOCK_TIME_NONE;
            event = GstRef<GstEvent>::adopt(gst_event_new_segment(&segment));
            gst_event_set_seqnum(event.get(), seqnum);
        }
        break;
    }
    case GST_EVENT_EOS:
        if (state->has_eos) { // no new stream has started behind it
            state->has_passed_eos = true;
            state->flow = GST_FLOW_EOS;
        }
        break;
    default:
        break;
    }
    push_event(state, std::move(event));
}

/// Upstream announced a gap, and no buffer is queued or expected before its end.
void AdaptiveQueueSrcPad::pass_gap(QueueAccess &state)
{
    const auto item = state->items.take();
    GstClockTime start = 0;
    GstClockTime duration = 0;
    gst_event_parse_gap(std::get<GstRef<GstEvent>>(item).get(), &start, &duration);
    const auto end = start + (GST_CLOCK_TIME_IS_VALID(duration) ? duration : 0);
    if (const auto media_end = running_time(state->src_segment, end))
        push_gap(state, state->timeline.place_pause(*media_end, state->clock.now()));
}

void AdaptiveQueueSrcPad::push_event(QueueAccess &state, GstRef<GstEvent> event) const
{
    state.unlocked([&] { gst_pad_push_event(context_.src, event.release()); });
}

void AdaptiveQueueSrcPad::push_gap(QueueAccess &state,
                                   const std::optional<OutputTimeline::Gap> &gap)
{
    const auto start = gap ? state->position_of(gap->start) : GST_CLOCK_TIME_NONE;
    if (start == GST_CLOCK_TIME_NONE)
        return;
    const auto duration = static_cast<GstClockTime>(gap->duration.count());
    push_event(state, GstRef<GstEvent>::adopt(gst_event_new_gap(start, duration)));
}

/// Must be called without a lock.
void AdaptiveQueueSrcPad::push_request(GstRef<GstEvent> request)
{
    if (!request)
        return;
    GST_INFO_OBJECT(context_.element, "sending %" GST_PTR_FORMAT,
                    static_cast<void *>(request.get()));
    gst_pad_push_event(context_.sink, request.release());
}

// --- Playout's actions ---

void AdaptiveQueueSrcPad::act(QueueAccess &state, const Playout::Action &action, nanoseconds now,
                              PendingSignals &pending)
{
    if (const auto *wait = std::get_if<Playout::Wait>(&action)) {
        if (wait->until != Playout::Wait::indefinitely)
            return state->clock.wait_until(wait->until, state);
        wait_for_arrival(state);
    } else if (const auto *frame = std::get_if<Playout::Play>(&action)) {
        play(state, *frame, now, pending);
    } else if (const auto *concealment = std::get_if<Playout::Conceal>(&action)) {
        conceal(state, *concealment, pending);
    } else if (const auto *drop = std::get_if<Playout::Drop>(&action)) {
        (void)state->buffers.take(drop->handle);
        state->is_discont = true;
        state->changed.notify_all();
        pending.drop = *drop;
    } else { // all buffers were played: EOS or a new stream follows
        wait_for_arrival(state);
    }
}

void AdaptiveQueueSrcPad::conceal(QueueAccess &state, const Playout::Conceal &conceal,
                                  PendingSignals &pending)
{
    if (state->playout->level().frames == 0 && !std::exchange(state->is_dry, true))
        pending.underrun = true;
    const auto gap = state->timeline.place(conceal);
    state.unlocked([&] { reports_.log_concealment(conceal); });
    push_gap(state, gap);
}

void AdaptiveQueueSrcPad::play(QueueAccess &state, const Playout::Play &play, nanoseconds now,
                               PendingSignals &pending)
{
    reports_.on_play(*state, play, now, pending);
    const auto placed = state->timeline.place(play);
    auto *buffer = gst_buffer_make_writable(state->buffers.take(play.handle).release());
    GST_BUFFER_PTS(buffer) = state->position_of(placed.time);
    GST_BUFFER_DTS(buffer) = GST_CLOCK_TIME_NONE;
    GST_BUFFER_DURATION(buffer) =
        static_cast<GstClockTime>(state->timeline.duration_of(play).count());
    if (std::exchange(state->is_discont, false) || placed.is_after_unfilled_gap)
        GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DISCONT);
    state->changed.notify_all();
    push_gap(state, placed.gap_before);
    const auto flow = state.unlocked([&] { return push_buffer(buffer); });
    if (state->flow == GST_FLOW_OK)
        state->flow = flow;
}

} // namespace jkvm
