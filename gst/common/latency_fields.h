// SPDX-License-Identifier: LGPL-2.1-or-later
// The fields that every element's statistics have for a latency.
#pragma once

#include "common/fields.h"
#include "core/stats/latency_monitor.h"

namespace jkvm {

/// A trend's nick.
const char *nick(LatencyTrend trend);

/// PREFIX-current, -average, -min, -max, -jitter, -p50, -p95, -p99: guint64, ns; 0 without a
/// sample. PREFIX-samples: guint64. PREFIX-trend: a nick.
Fields latency_fields(const LatencyMonitor &monitor, const std::string &prefix = "latency");

/// PREFIX-buckets: GstValueArray of guint64, of each bucket of LatencyHistogram alone. PREFIX-sum:
/// guint64, ns.
Fields histogram_fields(const LatencyHistogram &histogram, const std::string &prefix = "latency");

} // namespace jkvm
