// SPDX-License-Identifier: LGPL-2.1-or-later
// Follows capture times whose rate an element has changed deliberately.
#pragma once

#include "core/base/time.h"

#include <array>
#include <cstddef>
#include <optional>

namespace jkvm {

/// An element that changes its delay gradually stretches its timestamps by up to 0.5 %. Intervals
/// between such capture times agree, unlike those with jitter. Thread-bound.
class StretchFollower {
public:
    /// Maximum stretch that is followed, as a ratio.
    static constexpr double max_stretch = 6000e-6;
    /// Maximum difference between intervals that agree: the error of reading two clocks.
    static constexpr nanoseconds agreement = std::chrono::microseconds(10);
    /// Maximum distance between frame and capture time that is corrected.
    static constexpr nanoseconds max_error = std::chrono::milliseconds(40);

    /// The frame that was captured at `captured` is placed at `placed`. Returns the distance to the
    /// next frame that keeps it at its capture time; nothing if the intervals do not agree.
    std::optional<nanoseconds> next(nanoseconds captured, nanoseconds placed, nanoseconds duration);
    /// To be called if the next frame does not follow the previous one.
    void restart() { *this = {}; }

private:
    struct Frame {
        nanoseconds captured;
        nanoseconds duration;
    };
    std::optional<Frame> before_;
    std::array<nanoseconds, 3> excess_{}; // of the last intervals over the frames' duration
    std::size_t count_ = 0;               // of these, since the restart
};

} // namespace jkvm
