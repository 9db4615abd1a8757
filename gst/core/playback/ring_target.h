// SPDX-License-Identifier: LGPL-2.1-or-later
// Chooses the fill level of a playback device's ring before each write from underruns and near
// misses.
#pragma once

#include "core/base/time.h"

namespace jkvm {

/// Starts at 24 ms. An underrun, or the third near miss within a minute, raises it by half, up to
/// the upper bound; it never falls, because each change is a change of the latency. Thread-bound.
class RingTarget {
public:
    static constexpr nanoseconds initial = std::chrono::milliseconds(24);
    /// A write that finds less audio than this in the ring is a near miss.
    static constexpr nanoseconds near_miss = std::chrono::milliseconds(3);
    static constexpr nanoseconds window = std::chrono::minutes(1);
    static constexpr int near_misses_allowed = 2; // within the window
    /// Near misses and underruns within this time count once: they have the same cause.
    static constexpr nanoseconds lesson_interval = std::chrono::seconds(1);

    RingTarget(nanoseconds lower_bound, nanoseconds upper_bound);

    /// New audio was written while the ring held `left`; 0 or less: the device had run dry.
    /// Returns whether the target has changed.
    bool on_write(nanoseconds left, MonotonicTime now);

    [[nodiscard]] nanoseconds time() const { return time_; }

private:
    bool raise(MonotonicTime now);

    nanoseconds upper_bound_;
    nanoseconds time_;
    MonotonicTime ignore_until_ = MonotonicTime::min();
    MonotonicTime first_near_miss_{}; // of the window
    int near_misses_ = 0;             // in the window
};

} // namespace jkvm
