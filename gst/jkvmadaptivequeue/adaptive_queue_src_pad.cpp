// SPDX-License-Identifier: LGPL-2.1-or-later
// The task of the source pad.
#include "adaptive_queue.h"

#include <algorithm>
#include <utility>

GST_DEBUG_CATEGORY_EXTERN(jkvm_adaptive_queue_debug);
#define GST_CAT_DEFAULT jkvm_adaptive_queue_debug

namespace jkvm {

using namespace std::chrono_literals;

void AdaptiveQueue::loop()
{
    Lock lock(mutex_);
    PendingSignals news;
    if (flow_ == GST_FLOW_OK)
        step(lock, news);
    if (flow_ != GST_FLOW_OK)
        end_task(lock);
    if (settings_.is_silent)
        news.underrun = news.running = false;
    lock.unlock();
    announce(news);
}

void AdaptiveQueue::step(Lock &lock, PendingSignals &news)
{
    const auto now = clock_.now();
    saver_.look(now);
    if (auto request = take_encoder_request()) {
        lock.unlock();
        gst_pad_push_event(sink_, request.release());
        return lock.lock();
    }
    if (items_.next_query() != nullptr)
        return pass_query_on(lock);
    const auto *event = items_.next_event();
    const bool is_gap = event != nullptr && GST_EVENT_TYPE(event) == GST_EVENT_GAP;
    if (event != nullptr && !is_gap)
        return pass_event_on(lock);
    // What takes time waits for time to go on.
    if (!clock_.is_running())
        return clock_.wait(lock);
    if (is_gap && !last_offset_)
        return pass_gap_on(lock);
    if (is_gap && items_.level().buffers > 0) // the engine fills what is missing before them
        return items_.pop();
    const auto action = playout_->next(now);
    const auto *wait = std::get_if<Playout::Wait>(&action);
    const bool is_over = std::holds_alternative<Playout::End>(action);
    if (!is_gap || (wait == nullptr && !is_over))
        return act(action, now, lock, news);
    if (is_over || wait->until == Playout::Wait::for_ever)
        pass_gap_on(lock);
    else // the engine will fill it
        items_.pop();
}

void AdaptiveQueue::end_task(Lock &lock)
{
    const auto flow = flow_;
    gst_pad_pause_task(src_);
    const bool gives_up = flow != GST_FLOW_FLUSHING && has_eos_ && !passed_eos_;
    if (gives_up)
        passed_eos_ = true;
    std::vector<GstRef<GstEvent>> events;
    if (flow == GST_FLOW_EOS)
        events = clear_items();
    GstRef<GstEvent> request;
    if (flow != GST_FLOW_FLUSHING) { // nobody looks at how late anything is any more
        saver_.restart(clock_.now());
        request = take_encoder_request();
    }
    changed_.notify_all();
    lock.unlock();
    if (request)
        gst_pad_push_event(sink_, request.release());
    keep_sticky(events);
    if (gives_up) { // no buffer will come any more that could carry the news upstream
        if (is_failure(flow))
            GST_ELEMENT_FLOW_ERROR(element_, flow);
        gst_pad_push_event(src_, gst_event_new_eos());
    }
    lock.lock();
}

void AdaptiveQueue::announce(const PendingSignals &news)
{
    if (news.underrun)
        emit_(element_, Signal::underrun);
    if (news.running)
        emit_(element_, Signal::running);
    if (news.depth != nullptr) {
        const auto stats = playout_stats();
        Fields fields;
        fields.set("current-delay", stats.delay)
            .set("target-delay", stats.target_delay)
            .set("depth", static_cast<guint>(stats.queued_frames));
        depth_.post(news.depth, fields);
    }
    if (news.stats)
        stats_report_.post(stats());
    if (news.latency) {
        GST_INFO_OBJECT(element_, "the latency has changed");
        gst_element_post_message(element_, gst_message_new_latency(GST_OBJECT(element_)));
    }
}

void AdaptiveQueue::pass_query_on(Lock &lock)
{
    query_in_hand_ = items_.next_query();
    items_.pop();
    lock.unlock();
    const bool result = gst_pad_peer_query(src_, query_in_hand_) != FALSE;
    lock.lock();
    answer_ = Answer{std::exchange(query_in_hand_, nullptr), result};
    changed_.notify_all();
}

void AdaptiveQueue::pass_event_on(Lock &lock)
{
    auto event = GstRef<GstEvent>::share(items_.next_event());
    items_.pop();
    switch (GST_EVENT_TYPE(event.get())) {
    case GST_EVENT_SEGMENT: {
        gst_event_copy_segment(event.get(), &src_segment_);
        if (line_.follows_playout() && src_segment_.stop != GST_CLOCK_TIME_NONE) {
            // The delay moves the end out.
            const auto seqnum = gst_event_get_seqnum(event.get());
            src_segment_.stop = GST_CLOCK_TIME_NONE;
            event = GstRef<GstEvent>::adopt(gst_event_new_segment(&src_segment_));
            gst_event_set_seqnum(event.get(), seqnum);
        }
        break;
    }
    case GST_EVENT_EOS:
        if (has_eos_) { // nothing has begun anew behind it
            passed_eos_ = true;
            flow_ = GST_FLOW_EOS;
        }
        break;
    default:
        break;
    }
    push_event(std::move(event), lock);
}

/// Upstream has nothing for a while, and neither has the engine.
void AdaptiveQueue::pass_gap_on(Lock &lock)
{
    GstClockTime start = 0;
    GstClockTime duration = 0;
    gst_event_parse_gap(items_.next_event(), &start, &duration);
    items_.pop();
    const auto end = start + (GST_CLOCK_TIME_IS_VALID(duration) ? duration : 0);
    if (const auto media_end = running_time(src_segment_, end))
        push_gap(line_.place_pause(*media_end, clock_.now()), lock);
}

void AdaptiveQueue::push_event(GstRef<GstEvent> event, Lock &lock)
{
    lock.unlock();
    gst_pad_push_event(src_, event.release());
    lock.lock();
}

void AdaptiveQueue::act(const Playout::Action &action, nanoseconds now, Lock &lock,
                        PendingSignals &news)
{
    if (const auto *wait = std::get_if<Playout::Wait>(&action)) {
        if (wait->until != Playout::Wait::for_ever)
            return clock_.wait_until(wait->until, lock);
        wait_for_arrival(lock);
    } else if (const auto *frame = std::get_if<Playout::Play>(&action)) {
        play(*frame, now, lock, news);
    } else if (const auto *conceal = std::get_if<Playout::Conceal>(&action)) {
        if (items_.level().buffers == 0 && !std::exchange(is_dry_, true))
            news.underrun = true;
        push_gap(line_.place(*conceal), lock);
    } else if (std::holds_alternative<Playout::Drop>(action)) {
        items_.take_oldest_buffer();
        is_discont_ = true;
        changed_.notify_all();
    } else { // all was played: EOS is next, or what begins anew behind it
        wait_for_arrival(lock);
    }
}

void AdaptiveQueue::wait_for_arrival(Lock &lock)
{
    awaits_arrival_ = true;
    if (const auto look = saver_.next_look())
        clock_.wait_until(*look, lock);
    else
        clock_.wait(lock);
    awaits_arrival_ = false;
}

void AdaptiveQueue::play(const Playout::Play &play, nanoseconds now, Lock &lock,
                         PendingSignals &news)
{
    news.running = std::exchange(is_dry_, false);
    const auto offset = play.output_time - play.media_time;
    // Drift moves it by less than that.
    constexpr auto least_change = 1ms;
    const bool has_changed =
        last_offset_ && std::chrono::abs(offset - *last_offset_) >= least_change;
    if (play.first)
        news.depth = "start";
    else if (has_changed)
        news.depth = offset > *last_offset_ ? "grow" : "shrink";
    last_offset_ = offset;

    latency_.record(now - play.arrival);
    news.stats = stats_report_.is_due(settings_.report_interval, monotonic_now());
    if (settings_.latency_mode == LatencyMode::reported &&
        (has_changed || now >= next_latency_check_))
        update_latency(now, news);

    const auto placed = line_.place(play);
    auto *buffer = gst_buffer_make_writable(items_.take_oldest_buffer().release());
    GST_BUFFER_PTS(buffer) = position_of(placed.time);
    GST_BUFFER_DTS(buffer) = GST_CLOCK_TIME_NONE;
    GST_BUFFER_DURATION(buffer) = static_cast<GstClockTime>(play.duration.count());
    if (std::exchange(is_discont_, false) || placed.after_hole)
        GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DISCONT);
    changed_.notify_all();
    push_gap(placed.gap_before, lock);
    lock.unlock();
    GST_LOG_OBJECT(element_, "playing %" GST_PTR_FORMAT, static_cast<void *>(buffer));
    const auto flow = gst_pad_push(src_, buffer);
    lock.lock();
    if (flow_ == GST_FLOW_OK)
        flow_ = flow;
}

void AdaptiveQueue::push_gap(const std::optional<OutputTimeline::Gap> &gap, Lock &lock)
{
    const auto start = gap ? position_of(gap->start) : GST_CLOCK_TIME_NONE;
    if (start == GST_CLOCK_TIME_NONE)
        return;
    const auto duration = static_cast<GstClockTime>(gap->duration.count());
    push_event(GstRef<GstEvent>::adopt(gst_event_new_gap(start, duration)), lock);
}

/// None where the segment has no place for it.
GstClockTime AdaptiveQueue::position_of(nanoseconds running_time) const
{
    const auto time = static_cast<GstClockTime>(std::max(running_time, 0ns).count());
    if (src_segment_.format != GST_FORMAT_TIME)
        return time;
    guint64 position = 0;
    const int sign = gst_segment_position_from_running_time_full(&src_segment_, GST_FORMAT_TIME,
                                                                 time, &position);
    return sign > 0 ? position : GST_CLOCK_TIME_NONE;
}

} // namespace jkvm
