// SPDX-License-Identifier: LGPL-2.1-or-later
// Changes the delay continuously, by playing frames slightly longer or shorter than they are.
#pragma once

#include "core/base/time.h"

#include <cstdint>
#include <optional>

namespace jkvm {

/// Thread-bound.
class DelaySlew {
public:
    /// Maximum difference between the output of a frame and its duration, as a ratio.
    static constexpr double maximum_rate = 5000e-6;
    /// A small distance to the target decays with this time constant. A rate that switched between
    /// its limits for each change of the target would be audible as a change of pitch.
    static constexpr nanoseconds time_constant = std::chrono::seconds(1);
    /// A smaller distance to the target is not counted as a change.
    static constexpr nanoseconds minimum_change = std::chrono::milliseconds(1);
    /// Interval between two evaluations of the target.
    static constexpr nanoseconds target_interval = std::chrono::milliseconds(100);

    /// To be called if the next frame belongs to a new stream or follows an underrun.
    void restart() { target_.reset(); }
    [[nodiscard]] bool is_target_due(nanoseconds slot) const
    {
        return !target_ || slot - evaluated_ >= target_interval;
    }
    /// Sets the target. Returns whether this starts a change: `offset` differs from `present` by
    /// minimum_change or more, and the previous target did not.
    bool set_target(nanoseconds offset, nanoseconds present, nanoseconds slot)
    {
        const auto is_off = [&](nanoseconds target) {
            return std::chrono::abs(target - present) >= minimum_change;
        };
        const bool was_off = target_ && is_off(*target_);
        target_ = offset;
        evaluated_ = slot;
        return is_off(offset) && !was_off;
    }

    /// Returns how long the output of a frame of `duration` has to be. `offset`: the present one.
    /// `shift`: by how much the output would have to be longer than the frame to keep it.
    nanoseconds output_duration(nanoseconds duration, nanoseconds offset, nanoseconds shift);

    /// Difference between the output of the last frame and its duration (ppm); positive while the
    /// delay grows.
    [[nodiscard]] double stretch_ppm() const { return stretch_ppm_; }

private:
    std::optional<nanoseconds> target_;
    nanoseconds evaluated_{0}; // slot for which the target was evaluated
    double stretch_ppm_ = 0;
};

} // namespace jkvm
