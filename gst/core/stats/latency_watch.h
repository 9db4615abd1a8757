// SPDX-License-Identifier: LGPL-2.1-or-later
// Notices that an average latency crosses its thresholds.
#pragma once

#include "core/base/time.h"
#include "core/stats/latency_monitor.h"

#include <optional>

namespace jkvm {

/// 0 = off.
struct LatencyThresholds {
    nanoseconds warning{0};
    nanoseconds critical{0};
};

/// The level rises as soon as the average exceeds a threshold. It falls when the average is below
/// 80 % of that threshold, and no earlier than minimum_hold after its last change. Hence the same
/// level is not entered twice within that time.
///
/// A value type, thread-bound.
class LatencyWatch {
public:
    enum class Level { normal, high, critical };
    struct Change {
        Level level;
        LatencyMonitor::Values values;
    };

    /// The level is normal before: the average of the monitor starts with its first sample.
    static constexpr std::uint64_t minimum_samples = 10;
    static constexpr nanoseconds minimum_hold = std::chrono::seconds(1);

    /// To be called after each sample. Returns the new level if it changed. With both thresholds
    /// off it becomes normal without being returned.
    std::optional<Change> update(const LatencyMonitor &monitor, const LatencyThresholds &thresholds,
                                 MonotonicTime now);
    [[nodiscard]] Level level() const { return level_; }

private:
    Level level_ = Level::normal;
    MonotonicTime changed_{}; // when the level changed last
};

/// "normal", "high" or "critical".
const char *name_of(LatencyWatch::Level level);

} // namespace jkvm
