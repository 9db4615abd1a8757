// SPDX-License-Identifier: LGPL-2.1-or-later
// Raises the target fill level of a playback device's ring after underruns and near misses.
#pragma once

#include "core/base/time.h"

namespace jkvm {

/// The target is how much audio the ring should hold when a packet is written. It starts at 24 ms.
/// An underrun, or the third near miss within a minute, raises it by half, up to the upper bound.
/// It is never lowered, because each change of the target changes the latency. Thread-bound.
class RingTarget {
public:
    static constexpr nanoseconds initial = std::chrono::milliseconds(24);
    /// A write that finds less audio than this in the ring is a near miss.
    static constexpr nanoseconds near_miss = std::chrono::milliseconds(3);
    static constexpr nanoseconds window = std::chrono::minutes(1);
    static constexpr int near_misses_allowed = 2; // within the window
    /// Near misses and underruns within this time count once: they have the same cause.
    static constexpr nanoseconds event_interval = std::chrono::seconds(1);

    RingTarget(nanoseconds lower_bound, nanoseconds upper_bound);

    /// Evaluates a write at which the ring held `left`; 0 or less after an underrun. Returns
    /// whether the target has changed.
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
