// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/playout/playout.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace jkvm {

using namespace std::chrono_literals;

namespace {

// A transit that is so much shorter than the least one was not shortened: the sender set its clock.
constexpr nanoseconds largest_gain = 1s;

constexpr nanoseconds round_up(nanoseconds time, nanoseconds quantum)
{
    return (time + quantum - 1ns) / quantum * quantum;
}

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
}

// --- arrivals ---

std::size_t Playout::arrive(const PlayoutFrame &frame, nanoseconds now)
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
    // By its last sample: a longer frame is no later one.
    const auto took = sample.transit - frame.duration;
    const auto least = sample.minimum - frame.duration;
    least_held_ = holds_least_ ? std::min(least_held_.value_or(least), took) : least;
    lateness_ = took - *least_held_;
    if (!queue_.empty() && queue_.front().stream == playing_stream_)
        lateness_ = std::max(lateness_, now - due(queue_.front()));
    for (auto *policy : policies()) // whichever may be asked tomorrow
        policy->observe(sample);

    queue_.push({frame, now, arriving_stream_});
    queued_time_ += frame.duration;
    ++stats_.arrived;
    if (playing_stream_ == arriving_stream_ && position_ && now > due(queue_[queue_.size() - 1]))
        ++stats_.late;
    const auto excess = excess_frames();
    drop_oldest(excess);
    return excess;
}

bool Playout::belongs_to_new_stream(const PlayoutFrame &frame, nanoseconds now) const
{
    if (restart_expected_ || frame.media_time < last_media_time_)
        return true;
    const auto transit = now - frame.media_time - drift_.reference(now);
    return transit < drift_.minimum() - largest_gain;
}

// Frames of the last stream may still be queued; they keep the offset they have.
void Playout::begin_stream(nanoseconds now)
{
    ++arriving_stream_;
    restart_expected_ = false;
    finished_ = false;
    offset_ += drift_.reference(now);
    drift_.reset();
    transits_.reset();
    least_held_.reset();
    for (auto *policy : policies())
        policy->reset();
}

std::size_t Playout::most_frames() const
{
    return std::clamp<std::size_t>(config_.max_frames, 1, capacity - 1);
}

std::size_t Playout::excess_frames()
{
    std::size_t excess = 0;
    auto time = queued_time_;
    for (auto left = queue_.size(); left > most_frames() || (left > 1 && time > config_.max_time);
         --left)
        time -= queue_[excess++].frame.duration;
    return excess;
}

void Playout::drop_oldest(std::size_t count)
{
    for (std::size_t i = 0; i < count; ++i) {
        const auto duration = queue_.front().frame.duration;
        // A frame that was skipped is behind us, another one leaves its slot to the next.
        if (late_frames_ > 0)
            --late_frames_;
        else if (queue_.front().stream == playing_stream_)
            set_offset(offset_ - duration, queue_.front().arrival);
        remove_oldest();
    }
    stats_.dropped.overflow += count;
}

// A delay that needs more than the queue holds would be made longer and cut off by turns.
Playout::DelayLimits Playout::delay_limits(nanoseconds frame_duration) const
{
    const auto frames = static_cast<std::int64_t>(most_frames());
    const auto room = std::min(config_.max_time, frames * frame_duration) - frame_duration / 2;
    const auto least = std::clamp(config_.min_delay, 0ns, std::max(room, 0ns));
    return {least, std::clamp(config_.max_delay, least, std::max(room, least))};
}

void Playout::flush()
{
    queue_.clear();
    queued_time_ = 0ns;
    late_frames_ = 0;
    position_.reset();
    dry_since_.reset();
    restart_expected_ = true;
    finished_ = false;
    slot_decided_ = false;
}

// --- decisions ---

Playout::Action Playout::next(nanoseconds now)
{
    if (late_frames_ > 0) {
        --late_frames_;
        return drop(DropReason::late);
    }
    if (queue_.empty())
        return wait_or_conceal(now);
    if (queue_.front().stream != playing_stream_)
        begin_playing(now);

    auto slot = due(queue_.front());
    const auto half_frame = queue_.front().frame.duration / 2;
    if (finished_) {
        if (slot < *position_)
            set_offset(offset_ + *position_ - slot, now);
        return play();
    }
    if (now < *position_)
        return Wait{*position_};
    if (dry_since_ && slot >= *position_) { // nothing was late: the sender had nothing for a while
        stats_.paused += *position_ - *dry_since_;
        dry_since_.reset();
        if (slot > *position_)
            return pause(slot - *position_);
    }
    if (slot > *position_ + half_frame)
        return pause(slot - *position_);
    if (dry_since_)
        return resume(now);
    if (slot < *position_ - half_frame) { // media times overlap; the output's must not
        set_offset(offset_ + *position_ - slot, now);
        slot = *position_;
    }
    if (now < slot)
        return Wait{slot};
    if (const auto action = edit(now))
        return *action;
    return play();
}

nanoseconds Playout::due(const QueuedFrame &queued) const
{
    // Drift is taken at one time for the whole slot: else the time waited for would move away.
    return queued.frame.media_time + offset_ + drift_.reference(position_.value_or(queued.arrival));
}

void Playout::begin_playing(nanoseconds now)
{
    const auto &head = queue_.front();
    playing_stream_ = head.stream;
    first_of_stream_ = true;
    quantum_ = head.frame.quantum;
    dry_since_.reset();
    slot_decided_ = false;
    const auto limits = delay_limits(head.frame.duration);
    const auto delay = std::clamp(policy_->start_delay(), limits.least, limits.most);
    const auto start = std::max(head.arrival + delay, position_.value_or(nanoseconds::min()));
    if (!position_)
        position_ = start;
    set_offset(start - head.frame.media_time - drift_.reference(*position_), now);
}

Playout::Action Playout::wait_or_conceal(nanoseconds now)
{
    if (finished_)
        return End{};
    if (!position_)
        return Wait{Wait::for_ever};
    if (now < *position_)
        return Wait{*position_};
    if (!dry_since_)
        dry_since_ = position_;
    gave_up_ = *position_ - *dry_since_ >= longest_live_concealment;
    if (gave_up_)
        return Wait{Wait::for_ever};
    return conceal(quantum_);
}

// A frame came too late for its slot; everything since has been concealed.
Playout::Action Playout::resume(nanoseconds now)
{
    if (std::exchange(gave_up_, false) && now > *position_)
        return conceal(round_up(now - *position_, quantum_));

    const auto &head = queue_.front();
    const auto late_since = std::max(*dry_since_, due(head));
    ++stats_.underruns;
    stats_.concealed += *position_ - late_since;
    stats_.paused += late_since - *dry_since_;
    dry_since_.reset();

    const auto reference = drift_.reference(*position_);
    const auto offset_of = [&](std::size_t i) {
        return *position_ - queue_[i].frame.media_time - reference;
    };
    const auto limits = delay_limits(head.frame.duration);
    const auto cost_of = [&](nanoseconds offset) {
        const auto delay = offset - drift_.minimum();
        const auto outside = std::max({0ns, limits.least - delay, delay - limits.most});
        return std::tuple(outside, policy_->cost(offset));
    };
    std::size_t best = 0;
    if (may_edit()) {
        auto least = cost_of(offset_of(0));
        for (std::size_t i = 1; i < queue_.size() && queue_[i].stream == head.stream; ++i) {
            const auto cost = cost_of(offset_of(i));
            if (cost < least) {
                least = cost;
                best = i;
            }
        }
    }
    set_offset(offset_of(best), now);
    slot_decided_ = true; // one change is enough
    late_frames_ = best;
    return next(now);
}

bool Playout::may_edit()
{
    return queue_.front().stream == arriving_stream_;
}

// Once a slot, when its frame is there in time.
std::optional<Playout::Action> Playout::edit(nanoseconds now)
{
    if (slot_decided_ || !may_edit())
        return std::nullopt;
    slot_decided_ = true;
    const auto &head = queue_.front();
    const auto slot_time = due(head);
    const auto duration = head.frame.duration;
    const auto limits = delay_limits(duration);
    const auto delay = this->delay();
    const bool can_drop = queue_.size() > 1 && delay - duration >= limits.least;
    const auto change = policy_->wanted_change(
        {slot_time, offset_, duration, slot_time - head.arrival, head.frame.quiet, can_drop});

    if (can_drop && (change < 0ns || delay > limits.most)) {
        set_offset(offset_ - duration, now);
        return drop(change < 0ns ? DropReason::shrink : DropReason::max_delay);
    }
    const auto missing =
        std::max(std::min(change, limits.most - delay), limits.least - delay) / quantum_ * quantum_;
    if (missing <= 0ns)
        return std::nullopt;
    set_offset(offset_ + missing, now);
    stats_.inserted += missing;
    return conceal(missing);
}

// --- actions ---

void Playout::set_offset(nanoseconds offset, nanoseconds now)
{
    if (offset == offset_)
        return;
    offset_ = offset;
    ++stats_.adaptations;
    stats_.last_adaptation = now;
}

void Playout::remove_oldest()
{
    queued_time_ -= queue_.front().frame.duration;
    queue_.pop();
}

Playout::Action Playout::conceal(nanoseconds duration)
{
    const auto start = *position_;
    position_ = start + duration;
    return Conceal{start, duration};
}

Playout::Action Playout::pause(nanoseconds duration)
{
    stats_.paused += duration;
    return conceal(duration);
}

Playout::Action Playout::drop(DropReason reason)
{
    const bool quiet = queue_.front().frame.quiet;
    auto &dropped = stats_.dropped;
    switch (reason) {
    case DropReason::late:
        ++dropped.late;
        break;
    case DropReason::shrink:
        ++(quiet ? dropped.shrink_quiet : dropped.shrink);
        break;
    case DropReason::max_delay:
        ++dropped.max_delay;
        break;
    }
    remove_oldest();
    return Drop{reason, quiet};
}

Playout::Action Playout::play()
{
    const auto head = queue_.front();
    const Play play{due(head), head.frame.media_time, head.frame.duration, head.arrival,
                    std::exchange(first_of_stream_, false)};
    position_ = play.output_time + play.duration;
    quantum_ = head.frame.quantum;
    slot_decided_ = false;
    remove_oldest();
    ++stats_.played;
    return play;
}

PlayoutStats Playout::stats()
{
    auto stats = stats_;
    const auto minimum = drift_.minimum();
    const auto limits = delay_limits(frame_duration_);
    stats.delay = delay();
    stats.target_delay = std::clamp(policy_->target() - minimum, limits.least, limits.most);
    stats.offset = offset_ + drift_.reference(position_.value_or(0ns));
    stats.queued_frames = queue_.size();
    stats.queued_time = queued_time_;
    stats.transit = transits_.summary();
    stats.drift_ppm = drift_.ppm();
    stats.weighted = weighted_.inputs();
    return stats;
}

} // namespace jkvm
