// SPDX-License-Identifier: LGPL-2.1-or-later
// The output side of Playout: decides what happens in each slot.
#include "core/playout/delay_slew.h"
#include "core/playout/playout.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace jkvm {

using namespace std::chrono_literals;

namespace {

// Upper bound of the steps after the first one of an underrun: shorter ones fade faster, longer
// ones conceal more than necessary. Measured in docs/internals/adaptive.md.
constexpr nanoseconds further_conceal_step = 10ms;

constexpr nanoseconds round_up(nanoseconds time, nanoseconds quantum)
{
    return (time + quantum - 1ns) / quantum * quantum;
}

} // namespace

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
    if (concealing_since_ && slot >= *position_) { // no frame was late: the sender sent nothing
        counters_.paused += *position_ - *concealing_since_;
        concealing_since_.reset();
        if (slot > *position_)
            return pause(slot - *position_);
    }
    if (slot > *position_ + half_frame)
        return pause(slot - *position_);
    if (concealing_since_)
        return resume(now);
    if (slot < *position_ - half_frame) { // media times overlap; output times must not
        set_offset(offset_ + *position_ - slot, now);
        slot = *position_;
    }
    if (is_slewing()) { // outputs are contiguous, whatever the media times
        offset_ += *position_ - slot;
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
    concealing_since_.reset();
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
    if (!concealing_since_)
        concealing_since_ = position_;
    is_concealment_deferred_ = *position_ - *concealing_since_ >= maximum_live_concealment;
    if (is_concealment_deferred_)
        return Wait{Wait::indefinitely};
    const auto since = *position_ - *concealing_since_;
    const auto longest = since == 0ns ? maximum_conceal_step_ : next_conceal_step_;
    // All policies have observed the arrivals.
    return conceal(tail_cost_.conceal_step(offset_ + since, conceal_step_, longest),
                   ConcealReason::underrun);
}

// The oldest frame arrived after its slot; the output was concealed since then.
Playout::Action Playout::resume(nanoseconds now)
{
    if (std::exchange(is_concealment_deferred_, false) && now > *position_)
        return conceal(round_up(now - *position_, conceal_step_), ConcealReason::underrun);

    const auto late_since = std::max(*concealing_since_, slot_of(queue_.front()));
    ++counters_.underruns;
    counters_.concealed += *position_ - late_since;
    counters_.paused += late_since - *concealing_since_;
    concealing_since_.reset();

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
    const auto time = slot_of(head);
    const auto duration = head.frame.duration;
    const bool can_drop = queue_.size() > 1 && delay() - duration >= delay_limits(duration).minimum;
    const Slot slot{time, offset_, duration, time - head.arrival, head.frame.is_quiet, can_drop};
    policy_->on_slot(slot);
    return is_slewing() ? retarget(slot, now) : change_by_frames(slot, now);
}

std::optional<Playout::Action> Playout::change_by_frames(const Slot &slot, nanoseconds now)
{
    const auto limits = delay_limits(slot.duration);
    const auto delay = this->delay();
    const auto change = policy_->request_change(slot);
    if (slot.can_drop && (change < 0ns || delay > limits.maximum)) {
        set_offset(offset_ - slot.duration, now);
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

// An excess of less than a frame above the maximum delay is slewed.
std::optional<Playout::Action> Playout::retarget(const Slot &slot, nanoseconds now)
{
    const auto limits = delay_limits(slot.duration);
    if (slot.can_drop && delay() >= limits.maximum + slot.duration) {
        set_offset(offset_ - slot.duration, now);
        return drop(DropReason::max_delay);
    }
    if (slew_.is_target_due(slot.time)) {
        const auto minimum = drift_.minimum();
        const auto target =
            std::clamp(policy_->target(), minimum + limits.minimum, minimum + limits.maximum);
        if (slew_.set_target(target, offset_, slot.time))
            count_adaptation(now);
    }
    return std::nullopt;
}

// Returns the duration of the frame's output, which starts at `start`, and moves the offset.
nanoseconds Playout::slew(const PlayoutFrame &frame, nanoseconds start)
{
    const auto media_end = frame.media_time + frame.duration;
    const auto end = start + frame.duration;
    const auto kept = media_end + offset_ + drift_.reference(end);
    if (finished_ || !may_edit())
        slew_.restart();
    const auto duration = slew_.output_duration(frame.duration, offset_, kept - end);
    offset_ = start + duration - media_end - drift_.reference(start + duration);
    return duration;
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
    count_adaptation(now);
}

void Playout::count_adaptation(nanoseconds now)
{
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
    const auto head = queue_.front();
    const auto &frame = head.frame;
    const auto start = slot_of(head);
    const auto duration = is_slewing() ? slew(frame, start) : frame.duration;
    position_ = start + duration;
    set_conceal_steps(frame);
    is_slot_decided_ = false;
    is_start_pending_ = false;
    queue_.pop();
    ++counters_.played;
    return Play{.handle = frame.handle,
                .output_time = start,
                .output_duration = duration,
                .media_time = frame.media_time,
                .duration = frame.duration,
                .arrival = head.arrival,
                .is_first = std::exchange(is_first_of_stream_, false)};
}

} // namespace jkvm
