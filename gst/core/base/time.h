// SPDX-License-Identifier: LGPL-2.1-or-later
// The two kinds of time of the core. Whoever needs "now" gets it as an argument.
#pragma once

#include <chrono>
#include <ctime>
#include <utility>

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

/// Of a time that is not negative, as system calls want it.
inline timespec to_timespec(nanoseconds time)
{
    constexpr std::chrono::seconds second(1);
    return {static_cast<time_t>(time / second), static_cast<long>((time % second).count())};
}

inline WallTime wall_now()
{
    return std::chrono::time_point_cast<nanoseconds>(std::chrono::system_clock::now());
}

inline MonotonicTime monotonic_now()
{
    return std::chrono::time_point_cast<nanoseconds>(std::chrono::steady_clock::now());
}

/// What two clocks say at one moment. A thread that is interrupted between the readings, which may
/// last for a hundred milliseconds on a busy machine, reads again.
template <typename ReadOne, typename ReadOther>
auto read_together(ReadOne read_one, ReadOther read_other)
{
    using namespace std::chrono_literals;
    constexpr nanoseconds moment = 100us;
    constexpr int most_attempts = 5;
    auto before = read_other();
    for (int attempt = 1;; ++attempt) {
        const auto one = read_one();
        const auto after = read_other();
        // The other one may have been set back.
        const auto took = after - before;
        if ((took >= 0ns && took <= moment) || attempt == most_attempts)
            return std::pair(one, before + took / 2);
        before = after;
    }
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
