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
///
/// The line only goes forward: what belongs before the end of the last frame or announced gap has
/// no place on it any more.
class ReceiveTimeline {
public:
    explicit ReceiveTimeline(nanoseconds tolerance) : tolerance_(tolerance) {}

    struct Stamp {
        nanoseconds time;
        bool discontinuity; ///< it does not stand where the last frame ended; also the first one
        nanoseconds hole;   ///< how long nothing is between the last frame and this one; >= 0
        std::optional<Gap> gap; ///< what of that hole, or of a gap before the first frame, was not
                                ///< announced by announce_gap()
    };

    /// Where the frame goes that was captured at `captured`, on the caller's time line. Nothing for
    /// a frame that comes too late to have a place.
    std::optional<Stamp> place(nanoseconds captured, nanoseconds duration);

    /// The same for a frame whose capture time nobody knows: `arrived` is when it came, less its
    /// own duration. A stall of the sender and a pause begin alike. So the frame that ends one, if
    /// it was no longer than `longest_stall`, stands where the last one ended; so do those that
    /// come in a burst behind it, closer than half a frame. Without a burst it was a pause, a hole.
    std::optional<Stamp> place_arrival(nanoseconds arrived, nanoseconds duration);
    static constexpr nanoseconds longest_stall = std::chrono::seconds(1);

    /// The next frame takes its own capture time, however small the difference: something is known
    /// to be missing before it. The hole is still counted from the last frame's end.
    void expect_hole() { hole_expected_ = true; }

    /// Nothing is going to come that belongs before `until`, and the next frame is placed
    /// accordingly. The part of that which is news; before the first frame, from 0 on.
    std::optional<Gap> announce_gap(nanoseconds until);

    /// A new time line: what was before is forgotten.
    void reset() { *this = ReceiveTimeline(tolerance_); }

private:
    /// What of the time until then is not covered yet; it is now.
    std::optional<Gap> cover(nanoseconds until);

    nanoseconds tolerance_;
    std::optional<nanoseconds> next_;          // the end of the last frame
    std::optional<nanoseconds> covered_until_; // by frames and announced gaps
    std::optional<nanoseconds> last_arrival_;
    bool is_lagging_ = false; // the last frame's arrival lay beyond the tolerance
    bool hole_expected_ = false;
};

} // namespace jkvm
