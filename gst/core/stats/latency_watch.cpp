// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/stats/latency_watch.h"

#include <algorithm>

namespace jkvm {

namespace {

bool exceeds(nanoseconds average, nanoseconds threshold)
{
    return threshold > nanoseconds(0) && average > threshold;
}

LatencyWatch::Level level_of(nanoseconds average, const LatencyThresholds &thresholds)
{
    if (exceeds(average, thresholds.critical))
        return LatencyWatch::Level::critical;
    return exceeds(average, thresholds.warning) ? LatencyWatch::Level::high
                                                : LatencyWatch::Level::normal;
}

} // namespace

std::optional<LatencyWatch::Change> LatencyWatch::update(const LatencyMonitor &monitor,
                                                         const LatencyThresholds &thresholds,
                                                         MonotonicTime now)
{
    if (std::max(thresholds.warning, thresholds.critical) == nanoseconds(0)) {
        level_ = Level::normal;
        return std::nullopt;
    }
    if (monitor.samples() < minimum_samples)
        return std::nullopt;
    const auto average = monitor.average();
    const LatencyThresholds lowered{thresholds.warning * 4 / 5, thresholds.critical * 4 / 5};
    const auto raised = level_of(average, thresholds);
    const auto kept = std::min(level_of(average, lowered), level_);
    const auto level = std::max(raised, kept);
    if (level == level_ || (level < level_ && now - changed_ < minimum_hold))
        return std::nullopt;
    level_ = level;
    changed_ = now;
    return Change{level, monitor.values()};
}

const char *name_of(LatencyWatch::Level level)
{
    switch (level) {
    case LatencyWatch::Level::high:
        return "high";
    case LatencyWatch::Level::critical:
        return "critical";
    case LatencyWatch::Level::normal:
        break;
    }
    return "normal";
}

} // namespace jkvm
