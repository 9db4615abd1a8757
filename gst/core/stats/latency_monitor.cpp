// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/stats/latency_monitor.h"

#include <algorithm>

namespace jkvm {

void LatencyMonitor::record(nanoseconds latency)
{
    latency = std::clamp(latency, -maximum_latency, maximum_latency);
    quantiles_.record(latency);
    histogram_.record(latency);
    auto &v = values_;
    v.current = latency;
    const bool is_first = v.samples == 0;
    v.average = is_first ? latency : v.average + (latency - v.average) / 10;
    v.minimum = is_first ? latency : std::min(v.minimum, latency);
    v.maximum = is_first ? latency : std::max(v.maximum, latency);

    auto &oldest = history_[v.samples % history];
    deviations_ -= oldest.deviation;
    oldest = {latency, std::chrono::abs(latency - v.average)};
    deviations_ += oldest.deviation;
    ++v.samples;
}

LatencyMonitor::Values LatencyMonitor::values() const
{
    auto values = values_;
    values.jitter = jitter();
    values.trend = trend();
    values.p50 = quantiles_.at(0.50);
    values.p95 = quantiles_.at(0.95);
    values.p99 = quantiles_.at(0.99);
    return values;
}

nanoseconds LatencyMonitor::jitter() const
{
    const auto count = std::min<std::uint64_t>(values_.samples, history);
    return count == 0 ? nanoseconds(0) : deviations_ / static_cast<std::int64_t>(count);
}

nanoseconds LatencyMonitor::past(std::size_t age) const
{
    return history_[(values_.samples - 1 - age) % history].latency;
}

LatencyTrend LatencyMonitor::trend() const
{
    // Thresholds, of nine differences.
    constexpr int monotonic_threshold = 6;
    constexpr int unsteady_threshold = 7;

    if (values_.samples < trend_length)
        return LatencyTrend::stable;
    int rises = 0;
    int falls = 0;
    for (std::size_t age = 0; age + 1 < trend_length; ++age) {
        rises += past(age) > past(age + 1) ? 1 : 0;
        falls += past(age) < past(age + 1) ? 1 : 0;
    }
    if (rises > monotonic_threshold)
        return LatencyTrend::increasing;
    if (falls > monotonic_threshold)
        return LatencyTrend::decreasing;
    return rises + falls > unsteady_threshold ? LatencyTrend::unsteady : LatencyTrend::stable;
}

} // namespace jkvm
