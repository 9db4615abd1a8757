// SPDX-License-Identifier: LGPL-2.1-or-later
// Converts latencies to fields of an element's statistics.
#pragma once

#include "common/fields.h"
#include "core/stats/latency_monitor.h"

namespace jkvm {

/// Returns "stable", "increasing", "decreasing" or "volatile".
const char *nick(LatencyTrend trend);

/// Returns PREFIX-current, -average, -min, -max, -jitter, -p50, -p95 and -p99 (guint64, ns; 0
/// without a sample), PREFIX-samples (guint64) and PREFIX-trend (a nick).
Fields latency_fields(const LatencyMonitor &monitor, const std::string &prefix = "latency");

/// Returns PREFIX-buckets (GstValueArray of guint64, not cumulative, one for each bucket of
/// LatencyHistogram) and PREFIX-sum (guint64, ns).
Fields histogram_fields(const LatencyHistogram &histogram, const std::string &prefix = "latency");

} // namespace jkvm
