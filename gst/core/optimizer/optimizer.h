// SPDX-License-Identifier: LGPL-2.1-or-later
// Decides by how much a sender's encoder load should be reduced, from the lateness of its frames.
#pragma once

#include "core/stats/latency_monitor.h"
#include "core/wire/control.h"

#include <array>
#include <cstdint>
#include <optional>

namespace jkvm {

inline constexpr unsigned max_optimization_level = 8;

/// JetKVM's formula: latency / target x 1.4, times 1.2 while the latency increases, 0.8 while it
/// decreases, 1.1 while it is volatile; rounded down and clamped to 0 to 8.
unsigned optimization_level(nanoseconds latency, LatencyTrend trend,
                            nanoseconds target = std::chrono::milliseconds(50));

/// Encoder settings to request at that level, derived from the encoder's own settings.
///
///     level   complexity   bitrate   frame
///     0       own          100 %     own
///     1       7/8           90 %     own
///     2       6/8           80 %     own
///     3       5/8           70 %     own
///     4       4/8           60 %     own
///     5       3/8           50 %     20 ms or longer
///     6       2/8           40 %     20 ms or longer
///     7       1/8           33 %     40 ms or longer
///     8       0             25 %     40 ms or longer
///
/// The complexity, which dominates the encoder's cost, is rounded down. The bitrate is not reduced
/// below 16 kbit/s. Longer frames reduce messages and wake-ups; they are requested last because
/// they add latency.
wire::EncoderConfig optimized(const wire::EncoderConfig &preset, unsigned level);

/// Lateness from which the level may be raised. 0 = off; with all off, it may be raised at any
/// lateness.
struct OptimizerThresholds {
    nanoseconds current{0};
    nanoseconds average{0};
    nanoseconds jitter{0};

    /// Whether any of those that are on is exceeded.
    [[nodiscard]] bool permit_raise(const LatencyMonitor &latency) const;
};

/// Where JetKVM's value differs from the default, it is given in parentheses.
struct OptimizerConfig {
    static constexpr unsigned maximum_evaluations = 10;

    nanoseconds interval = std::chrono::seconds(5);   ///< between two evaluations
    nanoseconds cool_down = std::chrono::seconds(30); ///< minimum between two changes of the level
    nanoseconds target = std::chrono::milliseconds(50); ///< of the formula; not 0
    unsigned evaluations = 2;      ///< consecutive ones that have to agree on a change (1)
    unsigned minimum_samples = 10; ///< frames before the first change
    unsigned raise_step = max_optimization_level; ///< maximum change upwards (levels)
    unsigned lower_step = max_optimization_level; ///< maximum change downwards (levels) (1)
    double margin = 0.25;           ///< required before the level is lowered (levels) (0)
    OptimizerThresholds thresholds; ///< (200 ms, 90 ms, 20 ms)
};

/// Thread-bound and without a clock: the caller passes all times, on one clock. Does not allocate.
///
/// The formula is evaluated once per interval. The level changes when consecutive evaluations agree
/// on the direction, so that a single late frame has no effect, and changes by the smallest of the
/// amounts. A lower level requires a margin, so that a latency at the boundary does not oscillate.
class Optimizer {
public:
    explicit Optimizer(const OptimizerConfig &config = {}) : config_(config) {}

    /// At any time.
    void configure(const OptimizerConfig &config) { config_ = config; }
    /// Starts over at level 0, for another sender or another clock.
    void restart(nanoseconds now);

    /// To be called with each frame. Returns whether the level changed.
    bool record(nanoseconds latency, nanoseconds now);
    /// To be called at idle_deadline() if no frame arrived: an idle stream counts as not late.
    /// Returns whether the level changed.
    bool on_idle(nanoseconds now);
    /// Empty before the first frame.
    [[nodiscard]] std::optional<nanoseconds> idle_deadline() const;

    [[nodiscard]] unsigned level() const { return level_; }
    [[nodiscard]] std::uint64_t changes() const { return changes_; }
    [[nodiscard]] std::optional<nanoseconds> last_change() const { return last_change_; }
    [[nodiscard]] const LatencyMonitor &latency() const { return latency_; }

private:
    [[nodiscard]] unsigned evaluate(nanoseconds latency) const;
    bool follow(unsigned target, nanoseconds now);
    /// The level on which the latest evaluations agree.
    [[nodiscard]] unsigned agreed_level() const;

    OptimizerConfig config_;
    LatencyMonitor latency_;
    unsigned level_ = 0;
    std::array<unsigned, OptimizerConfig::maximum_evaluations> targets_{}; // the latest first
    std::optional<nanoseconds> next_evaluation_; // empty before the first frame
    nanoseconds last_frame_{0};
    std::optional<nanoseconds> cooling_since_;
    std::uint64_t changes_ = 0;
    std::optional<nanoseconds> last_change_;
};

} // namespace jkvm
