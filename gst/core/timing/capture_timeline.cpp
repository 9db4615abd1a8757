// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/timing/capture_timeline.h"

#include <algorithm>
#include <utility>

namespace jkvm {

using namespace std::chrono_literals;

namespace {

// Maximum lag after a change of the rate that is corrected by slewing.
constexpr nanoseconds max_rate_lag = 5ms;

} // namespace

nanoseconds CaptureTimeline::slew(nanoseconds error, nanoseconds frame)
{
    constexpr auto good_enough = 50us;
    const auto size = std::chrono::abs(error);
    is_slewing_ = size > (is_slewing_ ? good_enough : tolerance);
    const auto limit = frame / 500;
    return is_slewing_ ? std::clamp(error, -limit, limit) : 0ns;
}

nanoseconds CaptureTimeline::duration(nanoseconds lead, nanoseconds frame)
{
    if (!follows_)
        return frame;
    const auto slewed = frame + slew(drift_.time() - *next_, frame);
    // A device that is much too fast. Shortening its frames in proportion to the lead keeps the
    // lead below 3/4 of a frame at any rate.
    if (lead <= frame / 4)
        return slewed;
    return std::clamp(3 * frame / 2 - 2 * lead, frame / 20, slewed);
}

CaptureTimeline::Stamp CaptureTimeline::place(nanoseconds position, nanoseconds captured,
                                              nanoseconds frame)
{
    drift_.update(position, captured);
    Stamp stamp{captured, frame, true, 0ns};
    if (next_) {
        const auto lag = captured - *next_;
        min_lag_ = lag_time_ > 0ns ? std::min(min_lag_, lag) : lag;
        lag_time_ = lag > max_slew ? lag_time_ + frame : 0ns;
        const bool has_stepped =
            follows_ && (lag_time_ >= step_time ||
                         (std::exchange(rate_has_changed_, false) && lag > max_rate_lag));
        if (gap_expected_ || has_stepped) {
            // Timestamps never run backwards. A single measurement of the step may be late.
            stamp.missing = std::max(gap_expected_ ? lag : min_lag_, 0ns);
            stamp.time = *next_ + stamp.missing;
        } else {
            stamp = {*next_, duration(-lag, frame), false, 0ns};
        }
        stamp.discontinuity = gap_expected_ || has_stepped;
        if (has_stepped)
            drift_.restart();
    }
    if (stamp.discontinuity) {
        gap_expected_ = is_slewing_ = false;
        lag_time_ = 0ns;
    }
    next_ = stamp.time + stamp.duration;
    return stamp;
}

CaptureTimeline::Stamp CaptureTimeline::place_silence(nanoseconds start, nanoseconds frame)
{
    const auto missing = next_ ? std::max(skip_to_, *next_) - *next_ : 0ns;
    const Stamp stamp{next_.value_or(start) + missing, frame, !next_ || missing > 0ns, missing};
    next_ = stamp.time + frame;
    // The silence fills the gap.
    gap_expected_ = false;
    return stamp;
}

void CaptureTimeline::skip_to(nanoseconds time)
{
    skip_to_ = time;
}

void CaptureTimeline::on_rate_changed()
{
    drift_ = DeviceClockFilter();
    rate_has_changed_ = true;
    lag_time_ = 0ns;
}

void CaptureTimeline::reset()
{
    drift_.restart();
    next_.reset();
    skip_to_ = nanoseconds::min();
    gap_expected_ = is_slewing_ = false;
    lag_time_ = 0ns;
}

} // namespace jkvm
