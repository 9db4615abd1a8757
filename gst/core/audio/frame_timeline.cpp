// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/audio/frame_timeline.h"

#include <algorithm>

namespace jkvm {

FrameTimeline::Stamp FrameTimeline::place(nanoseconds captured, nanoseconds duration)
{
    Stamp stamp{captured, true, nanoseconds(0)};
    if (next_) {
        const auto difference = captured - *next_;
        if (hole_expected_) {
            // Time does not run backwards because frames were lost.
            stamp.time = std::max(captured, *next_);
            stamp.hole = stamp.time - *next_;
        } else if (std::chrono::abs(difference) <= tolerance_) {
            stamp = {*next_, false, nanoseconds(0)};
        } else {
            stamp.hole = std::max(difference, nanoseconds(0));
        }
    }
    hole_expected_ = false;
    next_ = stamp.time + duration;
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

void FrameTimeline::reset()
{
    next_.reset();
    last_arrival_.reset();
    hole_expected_ = false;
}

} // namespace jkvm
