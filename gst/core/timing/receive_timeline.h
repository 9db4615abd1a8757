// SPDX-License-Identifier: LGPL-2.1-or-later
// Turns the capture times of received frames, which drift and jitter, into contiguous timestamps.
#pragma once

#include "core/base/time.h"
#include "core/timing/device_clock_filter.h"
#include "core/timing/long_term_drift.h"
#include "core/timing/recent_range.h"
#include "core/timing/stretch_follower.h"

#include <optional>

namespace jkvm {

/// A stretch of the timeline without frames.
struct Gap {
    nanoseconds start;
    nanoseconds duration;
};

/// How a timeline follows a sender whose sample clock drifts against this host's clock.
enum class FrameSpacing {
    slewed, ///< frames become up to 0.2 % longer or shorter
    /// as slewed, but a deliberate change of the rate by up to 0.6 % is followed
    stretched,
    exact, ///< frames keep their duration; drift accumulates up to `max_exact_drift`
};

/// Each frame is placed where the previous one ended. A DeviceClockFilter compares the media time
/// with the capture times; when the end of the frames is more than 1 ms off the filtered capture
/// time, they are slewed until it is not. A drift of 1000 ppm therefore never causes a gap.
///
/// A capture time that is more than `tolerance` later than expected shows a gap: the frame is
/// placed at its capture time. With even capture times a single lost frame of any duration is
/// detected.
///
/// The timeline only moves forward: a frame that belongs before the end of an announced gap, or far
/// before the end of the previous frame, is rejected.
class ReceiveTimeline {
public:
    /// Distance between frames and filtered capture time at which slewing starts.
    static constexpr nanoseconds slew_threshold = std::chrono::milliseconds(1);
    /// A capture time that is earlier than expected by more than this is rejected.
    static constexpr nanoseconds max_step_back = std::chrono::seconds(1);
    /// After this duration beyond the tolerance, capture times have stepped and are followed.
    static constexpr nanoseconds step_time = std::chrono::milliseconds(200);
    /// A longer time without arrivals is not a stall, see place_arrival().
    static constexpr nanoseconds longest_stall = std::chrono::seconds(1);
    /// Maximum difference between frames and capture times with exact spacing. Beyond it the
    /// timestamps step forward, or frames are dropped.
    static constexpr nanoseconds max_exact_drift = std::chrono::milliseconds(500);

    explicit ReceiveTimeline(nanoseconds tolerance, FrameSpacing spacing = FrameSpacing::slewed)
        : tolerance_(tolerance), spacing_(spacing)
    {}

    struct Stamp {
        nanoseconds time;
        nanoseconds duration;   ///< until the next frame, if that follows without a gap
        bool discontinuity;     ///< the frame does not follow the previous one; true for the first
        nanoseconds missing;    ///< missing media time before the frame; >= 0
        bool is_pause;          ///< the sender paused in that time: nothing was lost
        std::optional<Gap> gap; ///< the part of the timeline before the frame that is empty and
                                ///< was not announced by announce_gap()
    };

    /// Places the frame that was captured at `captured` and arrived at `arrived`, both on the
    /// caller's timeline; `arrived` is the time at which the frame was complete. Returns nothing
    /// for a late frame.
    ///
    /// A gap of several frames is a pause if the frame after it has the usual transit. After frames
    /// were dropped on the way, the next frame has waited and has a longer transit.
    std::optional<Stamp> place(nanoseconds captured, nanoseconds duration, nanoseconds arrived);

    /// Places a frame without a capture time; `arrived` is the start of its arrival: the time at
    /// which it was complete, minus its duration. The beginning of a stall of the sender cannot be
    /// told from that of a pause, so the frame that ends a stall of up to `longest_stall` is placed
    /// where the previous one ended, and so are the frames of a burst after it, which are less than
    /// half a frame apart. If no burst follows, it was a pause.
    std::optional<Stamp> place_arrival(nanoseconds arrived, nanoseconds duration);

    /// Places the next frame at its capture time, however small the difference, because audio is
    /// known to be missing before it. The gap starts at the end of the previous frame.
    void expect_gap() { gap_expected_ = true; }

    /// Marks the time until `until` as empty. Returns the part that is not covered yet, starting at
    /// 0 before the first frame.
    std::optional<Gap> announce_gap(nanoseconds until);

    /// Discards all state, for a new timeline.
    void reset() { *this = ReceiveTimeline(tolerance_, spacing_); }

    /// How much faster the sender's sample clock runs than the capture times (ppm).
    [[nodiscard]] double drift_ppm() const { return drift_.ppm(); }

private:
    /// Marks the time until `until` as covered; returns the part that was not.
    std::optional<Gap> cover(nanoseconds until);
    [[nodiscard]] nanoseconds expected() const { return filter_.time_at(position_); }
    [[nodiscard]] bool is_gap(nanoseconds error, nanoseconds captured, nanoseconds duration,
                              nanoseconds arrived) const;
    std::optional<Stamp> append(nanoseconds captured, nanoseconds duration);
    /// Places a frame after a gap that was announced, or is known from expect_gap().
    std::optional<Stamp> place_after_known_gap(nanoseconds captured, nanoseconds duration);
    Stamp place_after_gap(nanoseconds captured, nanoseconds duration);
    /// Lets the filter skip the time of a gap.
    void follow_across_gap(nanoseconds captured, nanoseconds duration);
    /// Returns true once the error has been beyond the tolerance, on one side, for `step_time`.
    bool detect_step(nanoseconds error, nanoseconds duration);
    Stamp finish(Stamp stamp, nanoseconds duration);
    [[nodiscard]] nanoseconds slew(nanoseconds error, nanoseconds duration);
    /// Returns the time from a frame to the next one. `ahead`: filtered capture time minus frame.
    [[nodiscard]] nanoseconds distance_to_next(nanoseconds captured, nanoseconds ahead,
                                               nanoseconds duration);
    void restart_filter();

    nanoseconds tolerance_;
    FrameSpacing spacing_;
    std::optional<nanoseconds> next_;          // end of the last frame
    std::optional<nanoseconds> covered_until_; // by frames and announced gaps
    DeviceClockFilter filter_{std::chrono::milliseconds(100)};
    LongTermDrift drift_;
    StretchFollower stretch_;
    nanoseconds position_{0};     // media time of the next frame
    nanoseconds captured_end_{0}; // capture time of the end of the last frame
    RecentRange jitter_{32};      // of |capture time - end of the frame before|, per frame
    RecentRange transit_{50};
    /// Duration of the consecutive frames that were beyond the tolerance; below 0: too early.
    nanoseconds off_time_{0};
    std::optional<nanoseconds> last_arrival_;
    bool is_lagging_ = false;        // the last arrival was beyond the tolerance
    bool is_lag_with_burst_ = false; // a burst has arrived since then
    bool gap_expected_ = false;
    bool is_slewing_ = false;
};

} // namespace jkvm
