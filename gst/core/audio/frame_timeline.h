// SPDX-License-Identifier: LGPL-2.1-or-later
// Timestamps that advance by exactly one frame, made from capture times that jitter.
#pragma once

#include "core/base/time.h"

#include <optional>

namespace jkvm {

/// A stretch of the time line with nothing in it.
struct Gap {
    nanoseconds start;
    nanoseconds duration;
};

/// Uneven timestamps make sound choppy, so a frame stands where the last one ended, whatever small
/// difference its capture time shows. Only a difference beyond `tolerance` is a hole (or a clock
/// that stepped): then the capture time counts again, and the frame is a discontinuity.
class FrameTimeline {
public:
    explicit FrameTimeline(nanoseconds tolerance) : tolerance_(tolerance) {}

    struct Stamp {
        nanoseconds time;
        bool discontinuity; ///< it does not stand where the last frame ended; also the first one
        nanoseconds hole;   ///< how long nothing is between the last frame and this one; >= 0
        std::optional<Gap> gap; ///< what of that hole, or of a gap before the first frame, was not
                                ///< announced by announce_gap()
    };

    /// Where the frame goes that was captured at `captured`, on the caller's time line.
    Stamp place(nanoseconds captured, nanoseconds duration);

    /// The same for a frame whose capture time nobody knows: `arrived` is when it came, less its
    /// own duration. Frames that come in a burst, closer than half a frame, were captured one after
    /// the other; so within a burst this never steps back.
    Stamp place_arrival(nanoseconds arrived, nanoseconds duration);

    /// The next frame takes its own capture time, however small the difference: something is known
    /// to be missing before it. The hole is still counted from the last frame's end.
    void expect_hole() { hole_expected_ = true; }

    /// Nothing is going to come that belongs before `until`, and the next frame is placed
    /// accordingly. The part of that which is news; before the first frame, from 0 on.
    std::optional<Gap> announce_gap(nanoseconds until);

    /// A new time line: what was before is forgotten.
    void reset() { *this = FrameTimeline(tolerance_); }

private:
    nanoseconds tolerance_;
    std::optional<nanoseconds> next_;      // the end of the last frame
    std::optional<nanoseconds> announced_; // the end of the last frame or announced gap
    std::optional<nanoseconds> last_arrival_;
    bool hole_expected_ = false;
};

} // namespace jkvm
