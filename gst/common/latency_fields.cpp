// SPDX-License-Identifier: LGPL-2.1-or-later
#include "common/latency_fields.h"

namespace jkvm {

const char *nick(LatencyTrend trend)
{
    switch (trend) {
    case LatencyTrend::increasing:
        return "increasing";
    case LatencyTrend::decreasing:
        return "decreasing";
    case LatencyTrend::unsteady:
        return "volatile";
    case LatencyTrend::stable:
        break;
    }
    return "stable";
}

Fields latency_fields(const LatencyMonitor &monitor, const std::string &prefix)
{
    const auto values = monitor.values();
    Fields fields;
    const auto set = [&](const char *name, auto value) {
        fields.set((prefix + name).c_str(), value);
    };
    set("-current", values.current);
    set("-average", values.average);
    set("-min", values.minimum);
    set("-max", values.maximum);
    set("-jitter", values.jitter);
    set("-p50", values.p50);
    set("-p95", values.p95);
    set("-p99", values.p99);
    set("-samples", values.samples);
    set("-trend", nick(values.trend));
    return fields;
}

Fields histogram_fields(const LatencyHistogram &histogram, const std::string &prefix)
{
    return std::move(Fields()
                         .set((prefix + "-buckets").c_str(), histogram.counts())
                         .set((prefix + "-sum").c_str(), histogram.sum()));
}

} // namespace jkvm
