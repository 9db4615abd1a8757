// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/audio/frame_timeline.h"

#include <algorithm>

namespace jkvm {

FrameTimeline::Stamp FrameTimeline::place(nanoseconds captured, nanoseconds duration)
{
    Stamp stamp{captured, true, nanoseconds(0), std::nullopt};
    // Time does not run backwards because frames were lost.
    if (hole_expected_ && announced_)
        stamp.time = std::max(captured, *announced_);
    if (next_) {
        const auto difference = stamp.time - *next_;
        if (!hole_expected_ && std::chrono::abs(difference) <= tolerance_) {
            stamp.time = *next_;
            stamp.discontinuity = false;
        } else {
            stamp.hole = std::max(difference, nanoseconds(0));
        }
    }
    if (announced_)
        stamp.gap = announce_gap(stamp.time);
    hole_expected_ = false;
    next_ = announced_ = stamp.time + duration;
    return stamp;
}

FrameTimeline::Stamp FrameTimeline::place_arrival(nanoseconds arrived, nanoseconds duration)
{
    const bool is_burst = last_arrival_ && arrived - *last_arrival_ < duration / 2;
    last_arrival_ = arrived;
    // A burst behind a hole may have run ahead of the clock. Once it is over the clock counts
    // again, else what followed would be late by the hole for ever.
    if (next_ && arrived < *next_ && (is_burst || *next_ - arrived <= tolerance_))
        return place(*next_, duration);
    return place(arrived, duration);
}

std::optional<Gap> FrameTimeline::announce_gap(nanoseconds until)
{
    const auto start = announced_.value_or(nanoseconds(0));
    if (until <= start)
        return std::nullopt;
    announced_ = until;
    hole_expected_ = true;
    return Gap{start, until - start};
}

} // namespace jkvm
