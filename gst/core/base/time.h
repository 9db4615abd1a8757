// SPDX-License-Identifier: LGPL-2.1-or-later
// The clocks of the core, and conversions between them. Functions take "now" as an argument.
#pragma once

#include <chrono>
#include <ctime>
#include <utility>

namespace jkvm {

using std::chrono::nanoseconds;

/// CLOCK_REALTIME since the Unix epoch; the clock of timestamps on the wire.
using WallTime = std::chrono::sys_time<nanoseconds>;

/// CLOCK_MONOTONIC; the clock of time-outs and back-off.
using MonotonicTime = std::chrono::time_point<std::chrono::steady_clock, nanoseconds>;

inline double milliseconds_of(nanoseconds time)
{
    return std::chrono::duration<double, std::milli>(time).count();
}

/// Converts a duration that is not negative for a system call.
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

/// Reads two clocks as if at the same instant and returns both times. The readings are repeated if
/// the thread was preempted between them, which can take 100 ms on a busy machine.
template <typename ReadOne, typename ReadOther>
auto read_together(ReadOne read_one, ReadOther read_other)
{
    using namespace std::chrono_literals;
    constexpr nanoseconds max_distance = 100us;
    constexpr int max_attempts = 5;
    auto before = read_other();
    for (int attempt = 1;; ++attempt) {
        const auto one = read_one();
        const auto after = read_other();
        // A wall clock may have been set back in between.
        const auto took = after - before;
        if ((took >= 0ns && took <= max_distance) || attempt == max_attempts)
            return std::pair(one, before + took / 2);
        before = after;
    }
}

/// The same instant in a pipeline's running time and on the wall clock.
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
