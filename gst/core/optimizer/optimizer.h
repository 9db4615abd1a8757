// SPDX-License-Identifier: LGPL-2.1-or-later
// How much an encoder should save, by how late its sound arrives.
#pragma once

#include "core/stats/latency_monitor.h"
#include "core/wire/control.h"

#include <cstdint>
#include <optional>

namespace jkvm {

inline constexpr unsigned max_optimization_level = 8;

/// JetKVM's formula: the latency in units of 50 ms, times 1.4, and times 1.2 when it increases, 0.8
/// when it decreases, 1.1 when it is volatile; rounded down, 0 to 8.
unsigned optimization_level(nanoseconds latency, LatencyTrend trend);

/// What is asked of the encoder at that level, by what it does by itself: at level 0 just that.
///
///     level   complexity   bitrate   frame
///     0       as it was    100 %     as it was
///     1       7/8           90 %     as it was
///     2       6/8           80 %     as it was
///     3       5/8           70 %     as it was
///     4       4/8           60 %     as it was
///     5       3/8           50 %     20 ms or longer
///     6       2/8           40 %     20 ms or longer
///     7       1/8           33 %     40 ms or longer
///     8       0             25 %     40 ms or longer
///
/// The complexity, which is most of an encoder's cost, is rounded down. The bitrate is not lowered
/// below 16 kbit/s. Longer frames make fewer messages and wake-ups; they come last because they add
/// to the latency.
wire::EncoderConfig optimized(const wire::EncoderConfig &preset, unsigned level);

struct OptimizerConfig {
    nanoseconds interval = std::chrono::seconds(5);   ///< how often the formula is asked
    nanoseconds cool_down = std::chrono::seconds(30); ///< between two changes of the level
};

/// Thread-bound, and without a clock: every time is the caller's, on one clock. Allocates nothing.
///
/// The formula is asked at every interval, whatever the latency is, so that the level comes down
/// too. The level follows when two askings in a row were for a change the same way, so that one
/// late frame does not matter, and then goes to the one that is less of a change. A lower level
/// must be clear by a quarter of a level, so that a latency on the edge does not swing between two.
class Optimizer {
public:
    explicit Optimizer(const OptimizerConfig &config = {}) : config_(config) {}

    /// At any time.
    void configure(const OptimizerConfig &config) { config_ = config; }
    /// Another sender, or another clock from now on: level 0, and nothing is known.
    void restart(nanoseconds now);

    /// Of each frame: how much later it comes than it could. True: the level has changed.
    bool record(nanoseconds latency, nanoseconds now);
    /// When no frame came for an interval, nothing is late. True: the level has changed.
    bool look(nanoseconds now);
    /// When that is, if none comes. Nothing before the first frame.
    [[nodiscard]] std::optional<nanoseconds> next_look() const;

    [[nodiscard]] unsigned level() const { return level_; }
    [[nodiscard]] std::uint64_t changes() const { return changes_; }
    [[nodiscard]] std::optional<nanoseconds> last_change() const { return last_change_; }
    [[nodiscard]] const LatencyMonitor &latency() const { return latency_; }

private:
    [[nodiscard]] unsigned wanted_level(nanoseconds latency) const;
    bool follow(unsigned wanted, nanoseconds now);

    OptimizerConfig config_;
    LatencyMonitor latency_;
    unsigned level_ = 0;
    unsigned wanted_before_ = 0;             // by the asking before
    std::optional<nanoseconds> next_asking_; // nothing before the first frame
    nanoseconds last_frame_{0};
    std::optional<nanoseconds> cooling_since_;
    std::uint64_t changes_ = 0;
    std::optional<nanoseconds> last_change_;
};

} // namespace jkvm
