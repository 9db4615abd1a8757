// SPDX-License-Identifier: LGPL-2.1-or-later
// Gives each frame that was received its place on the receiver's time line, and keeps account.
#pragma once

#include "core/audio/frame_timeline.h"
#include "core/stats/latency_monitor.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace jkvm {

/// Thread-bound; the statistics are a value to be copied out.
class FrameStamper {
public:
    /// Beyond that a difference between a frame's capture time and the end of the last frame is a
    /// hole, not jitter.
    static constexpr nanoseconds hole_tolerance = std::chrono::milliseconds(40);
    /// A capture time older than this, or in the future, was not taken from a clock that agrees
    /// with ours.
    static constexpr nanoseconds oldest_plausible = std::chrono::seconds(10);

    struct Stats {
        std::uint64_t frames = 0;                 ///< Opus packets
        std::uint64_t bytes = 0;                  ///< in these packets
        std::uint64_t lost = 0;                   ///< frames missing, by the length of the holes
        std::uint64_t invalid = 0;                ///< frames that are no Opus packet
        std::uint64_t implausible_timestamps = 0; ///< frames whose arrival had to count instead
        LatencyMonitor latency; ///< from the capture of the first sample to stamp()
    };
    struct StampedFrame {
        nanoseconds time; ///< running time; below 0 for what was captured before the pipeline ran
        nanoseconds duration;
        nanoseconds latency; ///< of this frame
        bool discontinuity;
    };

    /// `captured`: as the sender says. `now`: when it arrived. Nothing for what is no Opus packet.
    std::optional<StampedFrame> stamp(std::span<const std::byte> packet, WallTime captured,
                                      const ClockPair &now);

    /// A new connection: what happened meanwhile is a hole.
    void expect_hole() { timeline_.expect_hole(); }
    /// A new time line; the statistics stay.
    void restart() { timeline_.reset(); }

    [[nodiscard]] const Stats &stats() const { return stats_; }

private:
    FrameTimeline timeline_{hole_tolerance};
    Stats stats_;
};

} // namespace jkvm
