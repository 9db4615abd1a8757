// SPDX-License-Identifier: LGPL-2.1-or-later
// The two kinds of time of the core. Whoever needs "now" gets it as an argument.
#pragma once

#include <chrono>

namespace jkvm {

using std::chrono::nanoseconds;

/// CLOCK_REALTIME, since the Unix epoch: what timestamps on the wire are.
using WallTime = std::chrono::sys_time<nanoseconds>;

/// CLOCK_MONOTONIC: what time-outs and back-off are measured with.
using MonotonicTime = std::chrono::time_point<std::chrono::steady_clock, nanoseconds>;

inline double milliseconds_of(nanoseconds time)
{
    return std::chrono::duration<double, std::milli>(time).count();
}

inline WallTime wall_now()
{
    return std::chrono::time_point_cast<nanoseconds>(std::chrono::system_clock::now());
}

inline MonotonicTime monotonic_now()
{
    return std::chrono::time_point_cast<nanoseconds>(std::chrono::steady_clock::now());
}

/// One moment on two clocks: a pipeline's running time and the wall clock.
struct ClockPair {
    nanoseconds running; ///< since the pipeline's base time
    WallTime wall;

    [[nodiscard]] WallTime wall_of(nanoseconds running_time) const
    {
        return wall + (running_time - running);
    }
    [[nodiscard]] nanoseconds running_of(WallTime wall_time) const
    {
        return running + (wall_time - wall);
    }
};

} // namespace jkvm
