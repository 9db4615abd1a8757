// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/timing/capture_timeline.h"

#include <algorithm>

namespace jkvm {

using namespace std::chrono_literals;

nanoseconds CaptureTimeline::slew(nanoseconds error, nanoseconds frame)
{
    constexpr auto good_enough = 50us;
    const auto size = std::chrono::abs(error);
    is_slewing_ = follows_ && size > (is_slewing_ ? good_enough : tolerance);
    const auto limit = frame / 500;
    return is_slewing_ ? std::clamp(error, -limit, limit) : 0ns;
}

CaptureTimeline::Stamp CaptureTimeline::place(nanoseconds position, nanoseconds captured,
                                              nanoseconds frame)
{
    drift_.update(position, captured);
    Stamp stamp{captured, frame, true, 0ns};
    if (next_) {
        const auto difference = captured - *next_;
        off_time_ = std::chrono::abs(difference) > max_slew ? off_time_ + frame : 0ns;
        if (hole_expected_) {
            // Lost frames must not make time run backwards.
            stamp.time = std::max(captured, *next_);
            stamp.hole = stamp.time - *next_;
        } else if (off_time_ < step_time || !follows_) {
            stamp = {*next_, frame + slew(drift_.time() - *next_, frame), false, 0ns};
        } else {
            stamp.hole = std::max(difference, 0ns);
            drift_.restart();
        }
    }
    if (stamp.discontinuity) {
        hole_expected_ = is_slewing_ = false;
        off_time_ = 0ns;
    }
    next_ = stamp.time + stamp.duration;
    return stamp;
}

CaptureTimeline::Stamp CaptureTimeline::place_silence(nanoseconds start, nanoseconds frame)
{
    const Stamp stamp{next_.value_or(start), frame, !next_, 0ns};
    next_ = stamp.time + frame;
    // The silence fills the hole.
    hole_expected_ = false;
    return stamp;
}

void CaptureTimeline::reset()
{
    drift_.restart();
    next_.reset();
    hole_expected_ = is_slewing_ = false;
    off_time_ = 0ns;
}

} // namespace jkvm
