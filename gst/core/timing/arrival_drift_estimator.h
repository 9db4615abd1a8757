// SPDX-License-Identifier: LGPL-2.1-or-later
// How fast the sender's clock runs against ours, and the least transit, from arrivals alone.
#pragma once

#include "core/base/time.h"

#include <array>
#include <optional>

namespace jkvm {

/// Frames are delayed, never early: so the least transit of a second hardly jitters, and the slope
/// of these minima over a minute is the drift. Of all pairs half a window apart the median slope is
/// taken, which a few bad seconds cannot move. When the slopes do not agree even on the direction,
/// there is none.
class ArrivalDriftEstimator {
public:
    static constexpr nanoseconds bucket_length = std::chrono::seconds(1);
    static constexpr int window = 64;       ///< buckets
    static constexpr int least_window = 16; ///< fewer say nothing of a slope
    /// No two audio clocks differ by more (parts of one): the network changed, not the clock.
    static constexpr double steepest = 1500e-6;

    /// `transit` is arrival minus media time. Arrivals do not go back.
    void observe(nanoseconds arrival, nanoseconds transit);

    /// What drift has added to the transits by then. It has no jumps, and it stands still while
    /// nothing is known and while following is off.
    [[nodiscard]] nanoseconds reference(nanoseconds at) const;
    /// Off at first. Switched, the reference goes on from where it is at `now`.
    void set_following(bool following, nanoseconds now);

    /// The least transit, less the reference, of the last 64 s and of the last 2 s or so. Zero
    /// before the first arrival.
    [[nodiscard]] nanoseconds minimum() const;
    [[nodiscard]] nanoseconds recent_minimum() const;
    /// Parts per million; above 0: the sender's clock is slow.
    [[nodiscard]] double ppm() const { return slope_ * 1e6; }

    /// Everything is forgotten, but not whether to follow.
    void reset();

private:
    struct Bucket {
        nanoseconds start;
        nanoseconds at;      // when the least transit was
        nanoseconds transit; // the least
        nanoseconds level;   // that, less the reference
    };
    [[nodiscard]] const Bucket &full(int i) const // 0 is the oldest
    {
        return full_[(begin_ + i) % window];
    }
    void close_bucket(nanoseconds now);
    [[nodiscard]] std::optional<double> measured_slope() const;
    void rebase(nanoseconds now);

    std::array<Bucket, window> full_{}; // a ring
    int begin_ = 0;
    int count_ = 0;
    nanoseconds least_full_{nanoseconds::max()}; // level, of the full ones
    std::optional<Bucket> open_;

    bool following_ = false;
    double slope_ = 0;
    int slopes_ = 0;      // that went into it
    nanoseconds base_{0}; // the reference at since_
    nanoseconds since_{0};
};

} // namespace jkvm
