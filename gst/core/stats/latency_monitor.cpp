// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/stats/latency_monitor.h"

#include <algorithm>

namespace jkvm {

void LatencyMonitor::record(nanoseconds latency)
{
    quantiles_.record(latency);
    auto &v = values_;
    v.current = latency;
    if (v.samples++ == 0) {
        v.average = v.minimum = v.maximum = latency;
        return;
    }
    v.average += (latency - v.average) / 10;
    v.minimum = std::min(v.minimum, latency);
    v.maximum = std::max(v.maximum, latency);
}

LatencyMonitor::Values LatencyMonitor::values() const
{
    auto values = values_;
    values.p50 = quantiles_.at(0.50);
    values.p95 = quantiles_.at(0.95);
    values.p99 = quantiles_.at(0.99);
    return values;
}

} // namespace jkvm
