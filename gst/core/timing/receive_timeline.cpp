// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/timing/receive_timeline.h"

#include <algorithm>
#include <utility>

namespace jkvm {

std::optional<ReceiveTimeline::Stamp> ReceiveTimeline::place(nanoseconds captured,
                                                             nanoseconds duration)
{
    Stamp stamp{captured, true, nanoseconds(0), std::nullopt};
    const bool is_jitter =
        next_ && !hole_expected_ && std::chrono::abs(captured - *next_) <= tolerance_;
    if (is_jitter) {
        stamp.time = *next_;
        stamp.discontinuity = false;
    } else if (covered_until_) {
        if (captured < *covered_until_ - tolerance_)
            return std::nullopt;
        stamp.time = std::max(captured, *covered_until_);
        stamp.hole = next_ ? stamp.time - *next_ : nanoseconds(0);
        stamp.gap = cover(stamp.time);
    }
    hole_expected_ = false;
    next_ = covered_until_ = stamp.time + duration;
    return stamp;
}

std::optional<ReceiveTimeline::Stamp> ReceiveTimeline::place_arrival(nanoseconds arrived,
                                                                     nanoseconds duration)
{
    const bool is_burst = last_arrival_ && arrived - *last_arrival_ < duration / 2;
    last_arrival_ = arrived;
    const auto lag = next_ ? arrived - *next_ : nanoseconds(0);
    const bool was_lagging = std::exchange(is_lagging_, lag > tolerance_);
    if (is_lagging_ && lag <= longest_stall && !hole_expected_ && (is_burst || !was_lagging))
        return place(*next_, duration);
    return place(arrived, duration);
}

std::optional<Gap> ReceiveTimeline::announce_gap(nanoseconds until)
{
    const auto gap = cover(until);
    hole_expected_ |= gap.has_value();
    return gap;
}

std::optional<Gap> ReceiveTimeline::cover(nanoseconds until)
{
    const auto start = covered_until_.value_or(nanoseconds(0));
    if (until <= start)
        return std::nullopt;
    covered_until_ = until;
    return Gap{start, until - start};
}

} // namespace jkvm
