// SPDX-License-Identifier: LGPL-2.1-or-later
// The fields that every element's statistics have for a latency.
#pragma once

#include "common/fields.h"
#include "core/stats/latency_monitor.h"

namespace jkvm {

/// latency-current, -average, -min, -max, -p50, -p95, -p99: guint64, ns; 0 without a sample.
inline Fields latency_fields(const LatencyMonitor &monitor)
{
    const auto values = monitor.values();
    return std::move(Fields()
                         .set("latency-current", values.current)
                         .set("latency-average", values.average)
                         .set("latency-min", values.minimum)
                         .set("latency-max", values.maximum)
                         .set("latency-p50", values.p50)
                         .set("latency-p95", values.p95)
                         .set("latency-p99", values.p99));
}

} // namespace jkvm
