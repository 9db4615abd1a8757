// SPDX-License-Identifier: LGPL-2.1-or-later
// Estimates the drift of a sender's clock and the minimum transit from the arrivals of frames.
#pragma once

#include "core/base/time.h"

#include <array>
#include <optional>

namespace jkvm {

/// Frames are delayed, never early, so the minimum transit of a second hardly jitters, and the
/// slope of these minima over a minute is the drift. The estimate is the median slope of all pairs
/// half a window apart, which tolerates a few bad seconds. If the signs of the slopes do not agree,
/// the drift is 0.
class ArrivalDriftEstimator {
public:
    static constexpr nanoseconds bucket_length = std::chrono::seconds(1);
    static constexpr int window = 64;      ///< buckets
    static constexpr int min_buckets = 16; ///< fewer do not determine a slope
    /// Maximum drift of an audio clock, as a ratio. A steeper slope is a change of the network.
    static constexpr double max_drift = 1500e-6;

    /// `transit`: arrival minus media time. Arrivals must not decrease.
    void observe(nanoseconds arrival, nanoseconds transit);

    /// Returns the part of the transit at time `at` that drift has accumulated. It never jumps, and
    /// is constant while the drift is unknown or not followed.
    [[nodiscard]] nanoseconds reference(nanoseconds at) const;
    /// Initially off. A change takes effect from `now` on, without a jump of the reference.
    void set_following(bool following, nanoseconds now);

    /// The minimum transit minus the reference, of the last 64 s and of the last 1 to 2 s. 0 before
    /// the first arrival.
    [[nodiscard]] nanoseconds minimum() const;
    [[nodiscard]] nanoseconds recent_minimum() const;
    /// The drift (ppm); positive if the sender's clock is slow.
    [[nodiscard]] double ppm() const { return slope_ * 1e6; }

    /// Discards all measurements; keeps whether drift is followed.
    void reset();

private:
    struct Bucket {
        nanoseconds start;
        nanoseconds at;      // time of the minimum transit
        nanoseconds transit; // minimum
        nanoseconds level;   // minimum of transit minus reference
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
    nanoseconds min_level_{nanoseconds::max()}; // of the full buckets
    std::optional<Bucket> open_;

    bool following_ = false;
    double slope_ = 0;
    int slopes_ = 0;      // number of slopes averaged in it
    nanoseconds base_{0}; // the reference at since_
    nanoseconds since_{0};
};

} // namespace jkvm
