// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/playout/playout.h"

#include <algorithm>

namespace jkvm {

using namespace std::chrono_literals;

namespace {

// A transit shorter than the minimum by more than this means that the sender's clock was set.
constexpr nanoseconds maximum_transit_drop = 1s;

} // namespace

Playout::Playout(const PlayoutConfig &config, SystemLoad &load)
    : config_(config), tail_cost_(config.tail_cost), weighted_(config.weighted, load),
      fixed_(config.fixed), policy_(&fixed_)
{
    configure(config, 0ns);
}

void Playout::configure(const PlayoutConfig &config, nanoseconds now)
{
    config_ = config;
    tail_cost_.configure(config.tail_cost);
    weighted_.configure(config.weighted);
    fixed_.configure(config.fixed);
    drift_.set_following(config.drift_mode == DriftMode::pts, now);

    policy_ = policies()[static_cast<std::size_t>(config.policy)];
    slew_.restart();
}

// --- arrivals ---

void Playout::arrive(const PlayoutFrame &frame, nanoseconds now)
{
    if (belongs_to_new_stream(frame, now))
        begin_stream(now);
    last_media_time_ = frame.media_time;
    frame_duration_ = frame.duration;

    const auto transit = now - frame.media_time;
    drift_.observe(now, transit);
    transits_.add(transit);
    const TransitSample sample{now, transit - drift_.reference(now), drift_.minimum(),
                               drift_.recent_minimum(), frame.duration};
    update_lateness(sample, now);
    for (auto *policy : policies()) // any of them may be selected later
        policy->observe(sample);

    queue_.push({frame, now, arriving_stream_});
    ++counters_.arrived;
    if (playing_stream_ == arriving_stream_ && position_ && now > slot_of(queue_.back()))
        ++counters_.late;
    advance_start(now);
}

void Playout::update_lateness(const TransitSample &sample, nanoseconds now)
{
    // Measured from the frame's end, so that a longer frame does not count as later.
    const auto transit = sample.transit - sample.duration;
    const auto minimum = sample.minimum - sample.duration;
    held_minimum_ = is_minimum_held_ ? std::min(held_minimum_.value_or(minimum), transit) : minimum;
    lateness_ = transit - *held_minimum_;
    if (!queue_.empty() && queue_.front().stream == playing_stream_)
        lateness_ = std::max(lateness_, now - slot_of(queue_.front()) - downstream_hold_);
}

bool Playout::belongs_to_new_stream(const PlayoutFrame &frame, nanoseconds now) const
{
    if (restart_expected_ || frame.media_time < last_media_time_)
        return true;
    const auto transit = now - frame.media_time - drift_.reference(now);
    return transit < drift_.minimum() - maximum_transit_drop;
}

// Frames of the previous stream may still be queued; they keep their offset.
void Playout::begin_stream(nanoseconds now)
{
    ++arriving_stream_;
    restart_expected_ = false;
    finished_ = false;
    offset_ += drift_.reference(now);
    drift_.reset();
    transits_.reset();
    held_minimum_.reset();
    for (auto *policy : policies())
        policy->reset();
}

// --- limits ---

std::size_t Playout::maximum_frames() const
{
    return std::clamp<std::size_t>(config_.max_frames, 1, FrameRing::capacity - 1);
}

bool Playout::has_room_for(const PlayoutFrame &frame) const
{
    const auto &level = queue_.level();
    return level.frames == 0 ||
           (level.frames < maximum_frames() && level.bytes + frame.bytes <= config_.max_bytes &&
            level.time + frame.duration <= config_.max_time);
}

std::optional<Playout::Handle> Playout::drop_overflow()
{
    const auto &level = queue_.level();
    const bool fits = level.frames <= maximum_frames() && level.bytes <= config_.max_bytes &&
                      level.time <= config_.max_time;
    if (fits || level.frames <= 1)
        return std::nullopt;
    const auto oldest = queue_.front();
    // A frame that resume() skipped has no slot any more; another one leaves its slot to the next.
    if (late_frames_ > 0)
        --late_frames_;
    else if (oldest.stream == playing_stream_)
        set_offset(offset_ - oldest.frame.duration, oldest.arrival);
    queue_.pop();
    ++counters_.dropped.overflow;
    return oldest.frame.handle;
}

// A delay longer than the queue can hold would be raised and reduced alternately.
Playout::DelayLimits Playout::delay_limits(nanoseconds frame_duration) const
{
    const auto frames = static_cast<std::int64_t>(maximum_frames());
    const auto room = std::min(config_.max_time, frames * frame_duration) - frame_duration / 2;
    const auto minimum = std::clamp(config_.min_delay, 0ns, std::max(room, 0ns));
    return {minimum, std::clamp(config_.max_delay, minimum, std::max(room, minimum))};
}

std::optional<Playout::Handle> Playout::oldest() const
{
    return queue_.empty() ? std::nullopt : std::optional(queue_.front().frame.handle);
}

void Playout::flush()
{
    queue_.clear();
    late_frames_ = 0;
    position_.reset();
    concealing_since_.reset();
    restart_expected_ = true;
    finished_ = false;
    is_slot_decided_ = false;
    is_start_pending_ = false;
}

// --- statistics ---

PlayoutStats Playout::stats()
{
    PlayoutStats stats;
    static_cast<PlayoutCounters &>(stats) = counters_;
    const auto minimum = drift_.minimum();
    const auto limits = delay_limits(frame_duration_);
    stats.delay = delay();
    stats.target_delay = std::clamp(policy_->target() - minimum, limits.minimum, limits.maximum);
    stats.offset = offset_ + drift_.reference(position_.value_or(0ns));
    stats.queued_frames = queue_.size();
    stats.queued_time = queue_.level().time;
    stats.transit = transits_.summary();
    stats.drift_ppm = drift_.ppm();
    stats.stretch_ppm = is_slewing() ? slew_.stretch_ppm() : 0;
    stats.weighted = weighted_.inputs();
    return stats;
}

} // namespace jkvm
