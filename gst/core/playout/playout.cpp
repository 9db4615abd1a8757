// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/playout/playout.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace jkvm {

using namespace std::chrono_literals;

namespace {

// A transit shorter than the minimum by more than this means that the sender's clock was set.
constexpr nanoseconds maximum_transit_drop = 1s;

// Steps after the first one of an underrun: shorter ones fade faster, longer ones conceal more than
// necessary. Measured in docs/internals/adaptive.md.
constexpr nanoseconds further_conceal_step = 10ms;

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
    dry_since_.reset();
    restart_expected_ = true;
    finished_ = false;
    is_slot_decided_ = false;
    is_start_pending_ = false;
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
    if (finished_) {
        const auto slot = slot_of(queue_.front());
        if (slot < *position_)
            set_offset(offset_ + *position_ - slot, now);
        return play();
    }
    if (now < *position_)
        return Wait{*position_};
    return play_or_wait(now);
}

// A frame is queued, and all output so far ends at or before `now`.
Playout::Action Playout::play_or_wait(nanoseconds now)
{
    auto slot = slot_of(queue_.front());
    const auto half_frame = queue_.front().frame.duration / 2;
    if (dry_since_ && slot >= *position_) { // no frame was late: the sender sent nothing
        counters_.paused += *position_ - *dry_since_;
        dry_since_.reset();
        if (slot > *position_)
            return pause(slot - *position_);
    }
    if (slot > *position_ + half_frame)
        return pause(slot - *position_);
    if (dry_since_)
        return resume(now);
    if (slot < *position_ - half_frame) { // media times overlap; output times must not
        set_offset(offset_ + *position_ - slot, now);
        slot = *position_;
    }
    if (now < slot)
        return Wait{slot};
    if (const auto action = edit(now))
        return *action;
    return play();
}

nanoseconds Playout::slot_of(const FrameRing::Entry &entry) const
{
    // The drift is evaluated once per slot, so that the slot does not move while it is waited for.
    return entry.frame.media_time + offset_ + drift_.reference(position_.value_or(entry.arrival));
}

void Playout::begin_playing(nanoseconds now)
{
    const auto &head = queue_.front();
    playing_stream_ = head.stream;
    is_first_of_stream_ = true;
    set_conceal_steps(head.frame);
    dry_since_.reset();
    is_slot_decided_ = false;
    const auto limits = delay_limits(head.frame.duration);
    start_delay_ = std::clamp(policy_->start_delay(), limits.minimum, limits.maximum);
    const auto start =
        std::max(head.arrival + start_delay_, position_.value_or(nanoseconds::min()));
    is_start_pending_ = !position_;
    if (!position_)
        position_ = start;
    set_offset(start - head.frame.media_time - drift_.reference(*position_), now);
}

// If the first frame took longer than a later one, its delay is too long, and frames would be
// dropped to reduce it. As long as nothing has been output, starting earlier costs nothing.
void Playout::advance_start(nanoseconds now)
{
    if (!is_start_pending_ || queue_.front().stream != arriving_stream_)
        return;
    const auto start = *position_ - (delay() - start_delay_);
    if (start <= now || start >= *position_)
        return;
    set_offset(offset_ - (*position_ - start), now);
    position_ = start;
}

Playout::Action Playout::wait_or_conceal(nanoseconds now)
{
    if (finished_)
        return End{};
    if (!position_)
        return Wait{Wait::indefinitely};
    if (now < *position_)
        return Wait{*position_};
    if (!dry_since_)
        dry_since_ = position_;
    is_concealment_deferred_ = *position_ - *dry_since_ >= maximum_live_concealment;
    if (is_concealment_deferred_)
        return Wait{Wait::indefinitely};
    const bool is_first_step = *position_ == *dry_since_;
    return conceal(is_first_step ? maximum_conceal_step_ : next_conceal_step_,
                   ConcealReason::underrun);
}

// The oldest frame arrived after its slot; the output was concealed since then.
Playout::Action Playout::resume(nanoseconds now)
{
    if (std::exchange(is_concealment_deferred_, false) && now > *position_)
        return conceal(round_up(now - *position_, conceal_step_), ConcealReason::underrun);

    const auto late_since = std::max(*dry_since_, slot_of(queue_.front()));
    ++counters_.underruns;
    counters_.concealed += *position_ - late_since;
    counters_.paused += late_since - *dry_since_;
    dry_since_.reset();

    const auto skipped = may_edit() ? choose_resume_frame() : 0;
    set_offset(*position_ - queue_[skipped].frame.media_time - drift_.reference(*position_), now);
    is_slot_decided_ = true; // one change per slot
    late_frames_ = skipped;
    return next(now);
}

/// Index of the queued frame whose offset costs least if it is played next.
std::size_t Playout::choose_resume_frame()
{
    const auto &head = queue_.front();
    const auto limits = delay_limits(head.frame.duration);
    const auto reference = drift_.reference(*position_);
    const auto cost_of = [&](std::size_t i) {
        const auto offset = *position_ - queue_[i].frame.media_time - reference;
        const auto delay = offset - drift_.minimum();
        const auto excess = std::max({0ns, limits.minimum - delay, delay - limits.maximum});
        return std::tuple(excess, policy_->cost(offset));
    };
    std::size_t best = 0;
    auto best_cost = cost_of(0);
    for (std::size_t i = 1; i < queue_.size() && queue_[i].stream == head.stream; ++i) {
        const auto cost = cost_of(i);
        if (cost < best_cost) {
            best_cost = cost;
            best = i;
        }
    }
    return best;
}

bool Playout::may_edit() const
{
    return queue_.front().stream == arriving_stream_;
}

// Changes the delay as the policy requests. Once per slot whose frame is there in time.
std::optional<Playout::Action> Playout::edit(nanoseconds now)
{
    if (is_slot_decided_ || !may_edit())
        return std::nullopt;
    is_slot_decided_ = true;
    const auto &head = queue_.front();
    const auto slot = slot_of(head);
    const auto duration = head.frame.duration;
    const auto limits = delay_limits(duration);
    const auto delay = this->delay();
    const bool can_drop = queue_.size() > 1 && delay - duration >= limits.minimum;
    const auto change = policy_->request_change(
        {slot, offset_, duration, slot - head.arrival, head.frame.is_quiet, can_drop});

    if (can_drop && (change < 0ns || delay > limits.maximum)) {
        set_offset(offset_ - duration, now);
        return drop(change < 0ns ? DropReason::shrink : DropReason::max_delay);
    }
    const auto increase =
        std::max(std::min(change, limits.maximum - delay), limits.minimum - delay);
    const auto inserted = increase / conceal_step_ * conceal_step_;
    if (inserted <= 0ns)
        return std::nullopt;
    set_offset(offset_ + inserted, now);
    counters_.inserted += inserted;
    return conceal(inserted, ConcealReason::insert);
}

// --- actions ---

void Playout::set_conceal_steps(const PlayoutFrame &frame)
{
    conceal_step_ = frame.conceal_step;
    maximum_conceal_step_ = std::max(frame.conceal_step, frame.maximum_conceal_step);
    next_conceal_step_ =
        std::max(conceal_step_, std::min(maximum_conceal_step_, further_conceal_step));
}

void Playout::set_offset(nanoseconds offset, nanoseconds now)
{
    if (offset == offset_)
        return;
    offset_ = offset;
    ++counters_.adaptations;
    counters_.last_adaptation = now;
}

Playout::Action Playout::conceal(nanoseconds duration, ConcealReason reason)
{
    const auto start = *position_;
    position_ = start + duration;
    return Conceal{start, duration, reason};
}

Playout::Action Playout::pause(nanoseconds duration)
{
    counters_.paused += duration;
    return conceal(duration, ConcealReason::pause);
}

Playout::Action Playout::drop(DropReason reason)
{
    const auto frame = queue_.front().frame;
    auto &dropped = counters_.dropped;
    switch (reason) {
    case DropReason::late:
        ++dropped.late;
        break;
    case DropReason::shrink:
        ++(frame.is_quiet ? dropped.shrink_quiet : dropped.shrink);
        break;
    case DropReason::max_delay:
        ++dropped.max_delay;
        break;
    }
    queue_.pop();
    return Drop{frame.handle, reason, frame.is_quiet};
}

Playout::Action Playout::play()
{
    const auto &head = queue_.front();
    const Play play{.handle = head.frame.handle,
                    .output_time = slot_of(head),
                    .media_time = head.frame.media_time,
                    .duration = head.frame.duration,
                    .arrival = head.arrival,
                    .is_first = std::exchange(is_first_of_stream_, false)};
    position_ = play.output_time + play.duration;
    set_conceal_steps(head.frame);
    is_slot_decided_ = false;
    is_start_pending_ = false;
    queue_.pop();
    ++counters_.played;
    return play;
}

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
    stats.weighted = weighted_.inputs();
    return stats;
}

} // namespace jkvm
