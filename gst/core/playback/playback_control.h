// SPDX-License-Identifier: LGPL-2.1-or-later
// Controls the resampling ratio so that each sample is played at its due time.
#pragma once

#include "core/playback/playback_clock.h"

#include <cstdint>

namespace jkvm {

/// Controls the playout time, not the fill level of the ring. The ratio is the device's estimated
/// rate times the rate of the stream's timestamps, plus a correction of at most 500 ppm for the
/// playout error. A large error is corrected at once, by inserting silence or removing audio.
/// Thread-bound.
class PlaybackControl {
public:
    /// The playout error decays with this time constant.
    static constexpr nanoseconds time_constant = std::chrono::seconds(5);
    static constexpr double largest_correction = 500; // ppm
    /// An error beyond this is corrected at once; slewing it would take more than 80 s.
    static constexpr nanoseconds largest_slewed_error = std::chrono::milliseconds(40);

    struct Step {
        double ratio;         ///< device frames per frame of the stream, near 1
        std::int64_t silence; ///< frames of silence to insert first; negative: frames to remove
    };

    /// Makes next() correct the next error at once, however small it is. Called after a start of
    /// the device and after a jump of the stream's timestamps.
    void realign() { is_aligned_ = false; }

    /// If false, the ratio is always 1; an error is corrected at once or not at all.
    void set_following(bool is_following) { is_following_ = is_following; }

    /// Returns how the next samples of the stream have to be written. The first one is due at `due`
    /// and would become the device's frame `written`. `stretch`: how much longer than nominal the
    /// samples last according to the timestamps, in ppm; see TimestampRate. The clock must have an
    /// observation.
    Step next(const PlaybackClock &clock, std::uint64_t written, MonotonicTime due,
              double stretch = 0);

    /// Playout error: estimated playout time less due time, after the correction by the last
    /// next(). Positive if late.
    [[nodiscard]] nanoseconds error() const { return error_; }

private:
    bool is_following_ = true;
    bool is_aligned_ = false;
    nanoseconds error_{0};
};

} // namespace jkvm
