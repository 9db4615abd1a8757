// SPDX-License-Identifier: LGPL-2.1-or-later
// Finds the moments at which a device's hardware pointer moves.
#pragma once

#include "core/playback/playback_clock.h"

#include <cstdint>
#include <optional>
#include <utility>

namespace jkvm {

/// A pointer may advance frame by frame, by one USB packet, or by a whole period. If it was read at
/// any time, a coarse pointer's age would be unknown and would beat with the interval of the
/// readings, which the rate estimate would follow. Therefore a reading counts only if the pointer
/// moved within `resolution` before it, and next_reading() says when to read so that it does.
/// Thread-bound.
class PointerEdgeDetector {
public:
    /// Interval of readings while an edge is expected.
    static constexpr nanoseconds resolution = std::chrono::microseconds(250);

    explicit PointerEdgeDetector(unsigned rate) : rate_(rate) {}

    /// Takes a reading of the pointer. Returns when the pointer reached this value if that is known
    /// well enough for PlaybackClock::observe(). Up to two intervals of `resolution` between
    /// readings are good enough; the bound grows while a busy machine delays every reading.
    std::optional<MonotonicTime> on_reading(std::uint64_t pointer, MonotonicTime now);
    /// Starts over after the device was restarted.
    void restart();

    /// Whether the pointer moves so finely that each reading is an observation.
    [[nodiscard]] bool is_exact() const { return fine_steps_ >= fine_steps_needed; }
    /// Time of the next reading, which finds the first edge at or after `earliest`. Not before the
    /// last reading; `earliest` itself if the pointer is exact.
    [[nodiscard]] MonotonicTime next_reading(const PlaybackClock &clock,
                                             MonotonicTime earliest) const;

private:
    static constexpr int fine_steps_needed = 3;

    struct Reading {
        std::uint64_t pointer;
        MonotonicTime time;
    };
    void learn_step(std::uint64_t moved);
    /// Time from the first reading to the predicted edge.
    [[nodiscard]] nanoseconds lead() const;

    unsigned rate_;
    std::optional<Reading> last_;
    std::optional<Reading> edge_; // last edge found
    MonotonicTime known_at_{};    // time of the last edge found, or of the first reading
    std::uint64_t step_ = 0;      // frames from edge to edge; 0: not known
    int fine_steps_ = 0;          // in a row
    int misses_ = 0; // readings since the last edge that found the pointer moved at some time
};

} // namespace jkvm
