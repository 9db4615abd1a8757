// SPDX-License-Identifier: LGPL-2.1-or-later
// Finds the moments at which a device's hardware pointer moves.
#pragma once

#include "core/playback/playback_clock.h"

#include <cstdint>
#include <optional>
#include <utility>

namespace jkvm {

/// A pointer may advance frame by frame, by one USB packet, or by a whole period. A coarse pointer
/// that is read at an arbitrary time is outdated by up to one step. With periodic readings this
/// error varies slowly, and the rate estimate would follow it. Therefore a reading counts only if
/// the pointer moved just before it, and next_reading() returns a time for which this holds.
/// Thread-bound.
class PointerEdgeDetector {
public:
    /// Interval of readings while an edge is expected.
    static constexpr nanoseconds resolution = std::chrono::microseconds(250);
    /// Time without an edge after which readings at larger intervals qualify.
    static constexpr nanoseconds strict_time = std::chrono::milliseconds(100);

    explicit PointerEdgeDetector(unsigned rate) : rate_(rate) {}

    /// Processes a reading of the pointer. Returns the time at which the pointer reached this
    /// value, or nothing if it is too uncertain for PlaybackClock::observe(). The readings before
    /// and after a movement may be two intervals of `resolution` apart, and further if no movement
    /// qualified for `strict_time`, because a busy machine may delay every reading.
    std::optional<MonotonicTime> on_reading(std::uint64_t pointer, MonotonicTime now);
    /// Discards all readings after the device was restarted.
    void restart();

    /// Whether the pointer advances in steps so small that every reading qualifies.
    [[nodiscard]] bool is_exact() const { return fine_steps_ >= fine_steps_needed; }
    /// Returns when to read the pointer next in order to find the first edge at or after
    /// `earliest`; `earliest` itself if the pointer is exact. Never before the last reading.
    [[nodiscard]] MonotonicTime next_reading(const PlaybackClock &clock,
                                             MonotonicTime earliest) const;

private:
    static constexpr int fine_steps_needed = 3;

    struct Reading {
        std::uint64_t pointer;
        MonotonicTime time;
    };
    void learn_step(std::uint64_t moved);
    /// How long before a predicted edge the readings begin.
    [[nodiscard]] nanoseconds lead() const;

    unsigned rate_;
    std::optional<Reading> last_;
    std::optional<Reading> edge_; // last edge found
    MonotonicTime known_at_{};    // start of the time without an edge, for `strict_time`
    std::uint64_t step_ = 0;      // frames from edge to edge; 0: not known
    int fine_steps_ = 0;          // in a row
    int misses_ = 0;              // movements since the last edge that were found too late
};

} // namespace jkvm
