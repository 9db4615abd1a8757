// SPDX-License-Identifier: LGPL-2.1-or-later
// The sink pad's side of AdaptiveQueue.
#include "adaptive_queue.h"

#include <algorithm>

namespace jkvm {

using namespace std::chrono_literals;

GstFlowReturn AdaptiveQueue::take_buffer(GstRef<GstBuffer> buffer)
{
    Lock lock(mutex_);
    auto now = clock_.now();
    const auto read = reader_.read(buffer.get(), now);
    const auto &frame = read.frame;
    const auto size = gst_buffer_get_size(buffer.get());
    if (settings_.leak != Leak::downstream && !has_room_for(frame, size)) {
        emit_overrun(lock);
        changed_.wait(lock, [&] {
            return has_room_for(frame, size) || settings_.leak != Leak::no || flow_ != GST_FLOW_OK;
        });
        now = clock_.now();
    }
    if (has_eos_)
        return GST_FLOW_EOS;
    if (flow_ != GST_FLOW_OK)
        return flow_;
    if (settings_.leak == Leak::upstream && !has_room_for(frame, size)) {
        ++dropped_new_;
        return GST_FLOW_OK;
    }
    if (read.is_new_epoch) // of a sender that goes on, too, when we were away for long
        playout_->restart();
    items_.push(std::move(buffer), frame.duration);
    playout_->hold_least(saver_.optimizer().level() > 0);
    const auto excess = playout_->arrive(frame, now);
    saver_.record({.bytes = size, .duration = frame.duration, .is_quiet = frame.quiet},
                  playout_->lateness(), now);
    drop_oldest_items(excess);
    // The engine counts no bytes.
    const auto heavy = settings_.max_bytes > 0 ? items_.excess_over(settings_.max_bytes) : 0;
    playout_->drop_oldest(heavy);
    drop_oldest_items(heavy);
    // Otherwise the task waits for the slot of a buffer before this one, or for the end of what has
    // played: it need not hear of this one earlier.
    if (awaits_arrival_ || excess + heavy > 0)
        clock_.wake();
    if (excess + heavy > 0)
        emit_overrun(lock);
    return GST_FLOW_OK;
}

void AdaptiveQueue::emit_overrun(Lock &lock)
{
    if (settings_.is_silent)
        return;
    lock.unlock();
    emit_(element_, Signal::overrun);
    lock.lock();
}

bool AdaptiveQueue::has_room_for(const PlayoutFrame &frame, gsize size) const
{
    const auto &level = items_.level();
    const auto config = settings_.playout_config();
    if (level.buffers == 0)
        return true;
    return level.buffers < std::min(config.max_frames, Playout::capacity - 1) &&
           level.time + frame.duration <= config.max_time &&
           (settings_.max_bytes == 0 || level.bytes + size <= settings_.max_bytes);
}

void AdaptiveQueue::drop_oldest_items(std::size_t count)
{
    for (std::size_t i = 0; i < count; ++i) {
        items_.take_oldest_buffer();
        is_discont_ = true;
    }
}

bool AdaptiveQueue::take_event(GstRef<GstEvent> event)
{
    const auto type = GST_EVENT_TYPE(event.get());
    bool restarts = false;
    GstFlowReturn refused = GST_FLOW_OK;
    {
        const Lock lock(mutex_);
        const bool is_new_stream = type == GST_EVENT_STREAM_START || type == GST_EVENT_SEGMENT;
        if (is_new_stream && (has_eos_ || flow_ == GST_FLOW_EOS)) {
            restarts = flow_ == GST_FLOW_EOS;
            if (restarts)
                flow_ = GST_FLOW_OK;
            has_eos_ = passed_eos_ = false;
            begin_stream();
        }
        if (has_eos_)
            return false;
        // A sticky event's failure is no problem: the next buffer will meet a worse one.
        if (flow_ != GST_FLOW_OK && (!is_sticky(type) || type == GST_EVENT_EOS)) {
            refused = flow_;
        } else {
            note(event.get());
            items_.push(std::move(event));
            clock_.wake();
        }
    }
    if (refused != GST_FLOW_OK && type == GST_EVENT_EOS && is_failure(refused))
        GST_ELEMENT_FLOW_ERROR(element_, refused);
    if (restarts)
        start_task();
    return refused == GST_FLOW_OK;
}

/// What buffers behind it need to know of it.
void AdaptiveQueue::note(GstEvent *event)
{
    switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_STREAM_START:
        begin_stream();
        break;
    case GST_EVENT_CAPS: {
        GstCaps *caps = nullptr;
        gst_event_parse_caps(event, &caps);
        if (reader_.set_caps(caps))
            begin_stream();
        const auto *sound = gst_caps_get_structure(caps, 0);
        gint rate = 0;
        gint channels = 0;
        if (gst_structure_get_int(sound, "rate", &rate) &&
            gst_structure_get_int(sound, "channels", &channels))
            saver_.set_sound(static_cast<std::uint32_t>(rate),
                             static_cast<std::uint32_t>(channels));
        break;
    }
    case GST_EVENT_SEGMENT: {
        const GstSegment *segment = nullptr;
        gst_event_parse_segment(event, &segment);
        reader_.set_segment(*segment);
        break;
    }
    case GST_EVENT_EOS:
        has_eos_ = true;
        playout_->finish();
        break;
    default:
        break;
    }
}

bool AdaptiveQueue::take_query(GstQuery *query)
{
    Lock lock(mutex_);
    if (flow_ != GST_FLOW_OK)
        return false;
    items_.push(query);
    clock_.wake();
    changed_.wait(lock, [this, query] {
        return (answer_ && answer_->query == query) ||
               (flow_ != GST_FLOW_OK && query_in_hand_ != query);
    });
    items_.remove(query);
    const bool result = answer_ && answer_->query == query && answer_->result;
    answer_.reset();
    return result;
}

void AdaptiveQueue::start_flush()
{
    {
        const Lock lock(mutex_);
        flow_ = GST_FLOW_FLUSHING;
        clock_.wake();
        changed_.notify_all();
    }
    gst_pad_pause_task(src_);
}

void AdaptiveQueue::stop_flush(bool resets_time)
{
    std::vector<GstRef<GstEvent>> events;
    {
        const Lock lock(mutex_);
        events = clear_items();
        saver_.restart(clock_.now());
        if (resets_time)
            clock_.reset();
        forget_stream();
        flow_ = GST_FLOW_OK;
    }
    keep_sticky(events);
    if (gst_pad_is_active(src_) != FALSE)
        start_task();
}

void AdaptiveQueue::reconfigure()
{
    {
        const Lock lock(mutex_);
        if (flow_ != GST_FLOW_NOT_LINKED)
            return;
        flow_ = GST_FLOW_OK;
    }
    start_task();
}

} // namespace jkvm
