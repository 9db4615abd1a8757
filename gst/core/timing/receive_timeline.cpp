// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/timing/receive_timeline.h"

#include <algorithm>
#include <utility>

namespace jkvm {

using namespace std::chrono_literals;

namespace {

/// Frames after which the jitter of capture times is known.
constexpr int known_jitter = 8;

/// Number of frames of `duration` that fit into `time`, rounded.
std::int64_t count_frames(nanoseconds time, nanoseconds duration)
{
    return (time + duration / 2) / duration;
}

} // namespace

std::optional<ReceiveTimeline::Stamp> ReceiveTimeline::place(nanoseconds captured,
                                                             nanoseconds duration,
                                                             nanoseconds arrived)
{
    const auto transit = arrived - captured;
    const auto error = next_ ? captured - expected() : 0ns;
    std::optional<Stamp> stamp;
    if (!next_ || gap_expected_) {
        jitter_.reset();
        transit_.reset();
        stamp = place_after_known_gap(captured, duration);
    } else if (is_gap(error, captured, duration, arrived)) {
        stamp = place_after_gap(captured, duration);
        stamp->is_pause = count_frames(error, duration) > 1 && transit_.count() > 0 &&
                          transit - duration < transit_.minimum();
    } else if (error >= -max_step_back) {
        jitter_.add(std::chrono::abs(captured - captured_end_));
        stamp = append(captured, duration);
        captured_end_ = captured + duration; // also of a frame that append() dropped
    }
    if (stamp) {
        transit_.add(transit);
        captured_end_ = captured + duration;
    }
    return stamp;
}

bool ReceiveTimeline::is_gap(nanoseconds error, nanoseconds captured, nanoseconds duration,
                             nanoseconds arrived) const
{
    if (error <= 0ns)
        return false;
    // No frame arrives before it is captured completely. Such a timestamp is ahead, and if the
    // frame arrived when the expected one was due, nothing is missing.
    const auto transit = arrived - captured;
    if (transit < duration && transit_.count() > 0 && transit + error / 2 <= transit_.maximum())
        return false;
    if (error > tolerance_)
        return true;
    // A shorter gap can be detected only if the capture times are even.
    if (jitter_.count() < known_jitter || jitter_.maximum() > duration / 8 || error < duration / 2)
        return false;
    const auto step = captured - captured_end_;
    const auto missing = count_frames(step, duration);
    return missing > 0 && std::chrono::abs(step - missing * duration) <= duration / 4;
}

std::optional<ReceiveTimeline::Stamp> ReceiveTimeline::place_arrival(nanoseconds arrived,
                                                                     nanoseconds duration)
{
    const bool is_burst = last_arrival_ && arrived - *last_arrival_ < duration / 2;
    last_arrival_ = arrived;
    const auto lag = next_ ? arrived - *next_ : 0ns;
    const bool was_lagging = std::exchange(is_lagging_, lag > tolerance_);
    is_lag_with_burst_ = was_lagging && (is_lag_with_burst_ || is_burst);
    if (!next_ || gap_expected_)
        return place_after_known_gap(arrived, duration);
    if (!is_lagging_)
        return lag >= -max_step_back ? append(arrived, duration) : std::nullopt;
    if (lag <= longest_stall && (is_burst || !was_lagging)) {
        // Arrivals during a stall contain no information about the clocks.
        position_ += duration;
        return finish({.time = *next_, .duration = duration}, duration);
    }
    auto stamp = place_after_gap(arrived, duration);
    stamp.is_pause = !is_lag_with_burst_;
    return stamp;
}

std::optional<ReceiveTimeline::Stamp> ReceiveTimeline::append(nanoseconds captured,
                                                              nanoseconds duration)
{
    const bool has_stepped = detect_step(captured - expected(), duration);
    if (has_stepped) {
        restart_filter();
        jitter_.reset();
    }
    filter_.update(position_, captured);
    drift_.add(position_, filter_.time());
    position_ += duration;
    const auto ahead = filter_.time() - *next_;
    const bool is_exact = spacing_ == FrameSpacing::exact;
    if ((has_stepped && ahead > tolerance_) || (is_exact && ahead > max_exact_drift)) {
        Stamp stamp{.time = filter_.time(), .discontinuity = true};
        stamp.gap = cover(stamp.time);
        return finish(stamp, duration);
    }
    if (is_exact && ahead < -max_exact_drift)
        return std::nullopt;
    return finish({.time = *next_}, distance_to_next(captured, ahead, duration));
}

nanoseconds ReceiveTimeline::distance_to_next(nanoseconds captured, nanoseconds ahead,
                                              nanoseconds duration)
{
    if (spacing_ == FrameSpacing::stretched)
        if (const auto distance = stretch_.next(captured, *next_, duration))
            return *distance;
    return duration + slew(ahead, duration);
}

bool ReceiveTimeline::detect_step(nanoseconds error, nanoseconds duration)
{
    if (error > tolerance_)
        off_time_ = std::max(off_time_, 0ns) + duration;
    else if (error < -tolerance_)
        off_time_ = std::min(off_time_, 0ns) - duration;
    else
        off_time_ = 0ns;
    if (std::chrono::abs(off_time_) < step_time)
        return false;
    off_time_ = 0ns;
    return true;
}

std::optional<ReceiveTimeline::Stamp> ReceiveTimeline::place_after_known_gap(nanoseconds captured,
                                                                             nanoseconds duration)
{
    const bool is_announced = covered_until_ && covered_until_ != next_;
    if (is_announced && captured < *covered_until_ - tolerance_)
        return std::nullopt;
    if (next_ && captured < *next_ - max_step_back)
        return std::nullopt;
    Stamp stamp{.time = std::max(captured, covered_until_.value_or(captured)),
                .discontinuity = true};
    stamp.missing = next_ ? stamp.time - *next_ : 0ns;
    if (covered_until_)
        stamp.gap = cover(stamp.time);
    gap_expected_ = false;
    follow_across_gap(captured, duration);
    return finish(stamp, duration);
}

ReceiveTimeline::Stamp ReceiveTimeline::place_after_gap(nanoseconds captured, nanoseconds duration)
{
    const auto missing = captured - expected();
    Stamp stamp{.time = std::max(captured, *next_),
                .discontinuity = true,
                .missing = std::max(missing, 0ns)};
    if (spacing_ == FrameSpacing::exact)
        stamp.time = *next_ + std::max(count_frames(missing, duration), std::int64_t{1}) * duration;
    stamp.gap = cover(stamp.time);
    follow_across_gap(captured, duration);
    return finish(stamp, duration);
}

void ReceiveTimeline::follow_across_gap(nanoseconds captured, nanoseconds duration)
{
    is_slewing_ = false;
    off_time_ = 0ns;
    stretch_.restart();
    const auto missing = next_ ? captured - expected() : -1ns;
    if (missing >= 0ns) {
        // At the measured rate, so that the gap does not look like drift.
        const auto media =
            std::chrono::duration<double, std::nano>(missing) * (1 + filter_.ppm() / 1e6);
        position_ += std::chrono::duration_cast<nanoseconds>(media);
    } else {
        restart_filter();
    }
    filter_.update(position_, captured);
    drift_.add(position_, filter_.time());
    position_ += duration;
}

ReceiveTimeline::Stamp ReceiveTimeline::finish(Stamp stamp, nanoseconds duration)
{
    stamp.duration = duration;
    next_ = covered_until_ = stamp.time + duration;
    return stamp;
}

nanoseconds ReceiveTimeline::slew(nanoseconds error, nanoseconds duration)
{
    constexpr auto close_enough = 50us;
    const auto size = std::chrono::abs(error);
    is_slewing_ = spacing_ != FrameSpacing::exact &&
                  size > (is_slewing_ ? nanoseconds(close_enough) : slew_threshold);
    const auto limit = duration / 500;
    return is_slewing_ ? std::clamp(error, -limit, limit) : 0ns;
}

void ReceiveTimeline::restart_filter()
{
    filter_.restart_at_known_rate();
    drift_.reset();
}

std::optional<Gap> ReceiveTimeline::announce_gap(nanoseconds until)
{
    const auto gap = cover(until);
    gap_expected_ |= gap.has_value();
    return gap;
}

std::optional<Gap> ReceiveTimeline::cover(nanoseconds until)
{
    const auto start = covered_until_.value_or(0ns);
    if (until <= start)
        return std::nullopt;
    covered_until_ = until;
    return Gap{start, until - start};
}

} // namespace jkvm
