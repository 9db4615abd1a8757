// SPDX-License-Identifier: LGPL-2.1-or-later
#include "adaptive_queue.h"

#include "common/clocks.h"
#include "common/encoder_request.h"
#include "queue_stats.h"

#include <algorithm>

GST_DEBUG_CATEGORY_EXTERN(jkvm_adaptive_queue_debug);
#define GST_CAT_DEFAULT jkvm_adaptive_queue_debug

namespace jkvm {

using namespace std::chrono_literals;

AdaptiveQueue::AdaptiveQueue(GstElement *element, GstPad *sink, GstPad *src, EmitSignal emit)
    : element_(element), sink_(sink), src_(src), emit_(emit), depth_(element, "jkvm-depth"),
      stats_report_(element, GST_CAT_DEFAULT), clock_(element)
{
    gst_segment_init(&src_segment_, GST_FORMAT_TIME);
    playout_.emplace(settings_.playout_config(), load_);
}

// --- settings and statistics ---

bool AdaptiveQueue::set(guint id, const GValue *value)
{
    bool has_latency_changed = false;
    {
        const Lock lock(mutex_);
        const auto latency_before = own_latency();
        const auto mode_before = settings_.latency_mode;
        if (!settings_.set(id, value))
            return false;
        const auto now = clock_.now();
        playout_->configure(settings_.playout_config(), now);
        saver_.configure(settings_.optimizes, settings_.optimizer, now);
        if (settings_.latency_mode != mode_before) {
            report_.reset(latency_needed_at_start());
            line_.reset(settings_.latency_mode == LatencyMode::offset);
            is_discont_ = true;
        }
        has_latency_changed = own_latency() != latency_before;
        clock_.wake();
        changed_.notify_all();
    }
    if (has_latency_changed)
        announce({.latency = true});
    return true;
}

bool AdaptiveQueue::get(guint id, GValue *value)
{
    const Lock lock(mutex_);
    return settings_.get(id, value);
}

ItemQueue::Level AdaptiveQueue::level()
{
    const Lock lock(mutex_);
    return items_.level();
}

PlayoutStats AdaptiveQueue::playout_stats()
{
    const Lock lock(mutex_);
    return playout_->stats();
}

GstStructure *AdaptiveQueue::stats()
{
    const auto snapshot = [this] {
        const Lock lock(mutex_);
        const auto &optimizer = saver_.optimizer();
        return QueueStats{.playout = playout_->stats(),
                          .dropped_new = dropped_new_,
                          .frame_duration = reader_.last_duration(),
                          .lateness = playout_->lateness(),
                          .latency = latency_,
                          .optimization_level = optimizer.level(),
                          .optimizations = optimizer.changes(),
                          .last_optimization = optimizer.last_change(),
                          .settings = settings_,
                          .now = {clock_.now(), wall_now()}};
    }();
    return snapshot.release();
}

// --- latency ---

nanoseconds AdaptiveQueue::latency_needed_at_start() const
{
    const auto &config = settings_.playout;
    const auto delay = config.policy == PolicyKind::fixed
                           ? std::clamp(config.fixed.delay, config.min_delay,
                                        std::max(config.min_delay, config.max_delay))
                           : config.min_delay;
    return delay + settings_.output_margin;
}

nanoseconds AdaptiveQueue::own_latency() const
{
    switch (settings_.latency_mode) {
    case LatencyMode::offset:
        break;
    case LatencyMode::reported:
        return report_.value();
    case LatencyMode::fixed:
        return settings_.playout.max_delay + settings_.output_margin;
    }
    return settings_.output_margin;
}

void AdaptiveQueue::update_latency(nanoseconds now, PendingSignals &news)
{
    next_latency_check_ = now + 1s;
    if (report_.update(playout_->delay() + settings_.output_margin, now))
        news.latency = true;
}

void AdaptiveQueue::answer_latency(GstQuery *query)
{
    gboolean is_live = FALSE;
    GstClockTime least = 0;
    GstClockTime most = GST_CLOCK_TIME_NONE;
    gst_query_parse_latency(query, &is_live, &least, &most);
    if (is_live == FALSE) { // it can wait for us
        least = 0;
        most = GST_CLOCK_TIME_NONE;
    }
    const Lock lock(mutex_);
    const auto own = static_cast<GstClockTime>(own_latency().count());
    // The new timestamps are those of the output: how late upstream was is in them already.
    least = settings_.latency_mode == LatencyMode::offset ? own : least + own;

    const auto room = settings_.max_time > 0ns
                          ? static_cast<GstClockTime>(settings_.max_time.count())
                          : GST_CLOCK_TIME_NONE;
    if (settings_.leak != Leak::no)
        most = std::min(most, room); // what nobody waits for is lost
    else if (most != GST_CLOCK_TIME_NONE)
        most = room != GST_CLOCK_TIME_NONE ? most + room : room;
    gst_query_set_latency(query, TRUE, least, std::max(least, most));
}

// --- state changes ---

void AdaptiveQueue::open()
{
    const Lock lock(mutex_);
    items_.clear(); // what came when the source pad had ended already
    playout_.emplace(settings_.playout_config(), load_);
    saver_ = {};
    saver_.configure(settings_.optimizes, settings_.optimizer, 0ns);
    latency_ = {};
    dropped_new_ = 0;
    clock_.reset();
    reader_ = {};
    forget_stream();
}

/// What comes now is of another stream, maybe of another sender.
void AdaptiveQueue::begin_stream()
{
    playout_->restart();
    saver_.restart(clock_.now());
}

/// But for its caps, which outlive a flush.
void AdaptiveQueue::forget_stream()
{
    reader_.reset();
    gst_segment_init(&src_segment_, GST_FORMAT_TIME);
    line_.reset(settings_.latency_mode == LatencyMode::offset);
    report_.reset(latency_needed_at_start());
    next_latency_check_ = 0ns;
    is_dry_ = true;
    is_discont_ = true;
    last_offset_.reset();
    has_eos_ = false;
    passed_eos_ = false;
}

void AdaptiveQueue::play()
{
    const Lock lock(mutex_);
    clock_.start();
}

void AdaptiveQueue::pause()
{
    const Lock lock(mutex_);
    clock_.stop();
}

void AdaptiveQueue::activate_src(bool is_active)
{
    {
        const Lock lock(mutex_);
        flow_ = is_active ? GST_FLOW_OK : GST_FLOW_FLUSHING;
        clock_.wake();
        changed_.notify_all();
    }
    if (is_active) {
        start_task();
    } else {
        gst_pad_stop_task(src_);
        GstRef<GstEvent> request;
        {
            const Lock lock(mutex_);
            clear_items();
            saver_.restart(clock_.now());
            request = take_encoder_request();
        }
        // The sink pad ends after this one, and upstream after this element.
        if (request)
            gst_pad_push_event(sink_, request.release());
    }
}

GstRef<GstEvent> AdaptiveQueue::take_encoder_request()
{
    const auto request = saver_.take_request();
    if (!request)
        return {};
    const auto &config = request->config;
    GST_INFO_OBJECT(
        element_, "level %u: asking for %u bit/s, complexity %u, frames of %u samples%s",
        saver_.optimizer().level(), config.bitrate, config.complexity, config.stream.frame_size,
        request->is_withdrawn ? ", or the encoder's own" : "");
    return GstRef<GstEvent>::adopt(request->is_withdrawn ? make_encoder_withdrawal(config)
                                                         : make_encoder_request(config));
}

void AdaptiveQueue::start_task()
{
    gst_pad_start_task(
        src_, [](gpointer self) noexcept { static_cast<AdaptiveQueue *>(self)->loop(); }, this,
        nullptr);
}

std::vector<GstRef<GstEvent>> AdaptiveQueue::clear_items()
{
    playout_->flush();
    return items_.clear();
}

void AdaptiveQueue::keep_sticky(const std::vector<GstRef<GstEvent>> &events)
{
    for (const auto &event : events) {
        const auto type = GST_EVENT_TYPE(event.get());
        if (is_sticky(type) && type != GST_EVENT_SEGMENT && type != GST_EVENT_EOS)
            gst_pad_store_sticky_event(src_, event.get());
    }
}

} // namespace jkvm
