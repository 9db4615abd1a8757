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

inline WallTime wall_now()
{
    return std::chrono::time_point_cast<nanoseconds>(std::chrono::system_clock::now());
}

inline MonotonicTime monotonic_now()
{
    return std::chrono::time_point_cast<nanoseconds>(std::chrono::steady_clock::now());
}

} // namespace jkvm
