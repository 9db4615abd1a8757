// SPDX-License-Identifier: LGPL-2.1-or-later
// Decides at which ratio audio is resampled so that each sample plays when it is due.
#pragma once

#include "core/playback/playback_clock.h"

#include <cstdint>

namespace jkvm {

/// Steers the playout time, not the fill level of the ring: the ratio is the device's estimated
/// rate times the rate of the stream's timestamps, corrected by at most 500 ppm for the playout
/// error. An error that is too large for that is corrected at once, with silence or by removing
/// audio. Thread-bound.
class PlaybackControl {
public:
    /// The playout error decays with this time constant.
    static constexpr nanoseconds time_constant = std::chrono::seconds(5);
    static constexpr double largest_correction = 500; // ppm
    /// An error beyond this is corrected at once; to slew it would take more than 80 s.
    static constexpr nanoseconds largest_slewed_error = std::chrono::milliseconds(40);

    struct Step {
        double ratio;         ///< device frames per frame of the stream, near 1
        std::int64_t silence; ///< frames to insert first; negative: frames to take back or drop
    };

    /// The device was started, or the stream's timestamps have jumped: the next error, however
    /// small, is corrected at once.
    void realign() { is_aligned_ = false; }

    /// Without following, the ratio is always 1 and only large errors are corrected.
    void set_following(bool is_following) { is_following_ = is_following; }

    /// The next sample of the stream is due at `due` and would be written as the device's frame
    /// `written`. `stretch`: by how much longer than nominal the timestamps make the samples, in
    /// ppm; see TimestampRate. The clock must have an observation.
    Step next(const PlaybackClock &clock, std::uint64_t written, MonotonicTime due,
              double stretch = 0);

    /// Estimated playout time less due time at the last next(), after its correction; positive:
    /// late.
    [[nodiscard]] nanoseconds error() const { return error_; }

private:
    bool is_following_ = true;
    bool is_aligned_ = false;
    nanoseconds error_{0};
};

} // namespace jkvm
