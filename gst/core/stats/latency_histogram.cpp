// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/stats/latency_histogram.h"

#include <algorithm>
#include <functional>

namespace jkvm {

void LatencyHistogram::record(nanoseconds latency)
{
    const auto counted = std::clamp<nanoseconds>(latency, nanoseconds(0), std::chrono::seconds(60));
    const auto bucket = std::ranges::lower_bound(bounds, counted) - bounds.begin();
    ++counts_[static_cast<std::size_t>(bucket)];
    sum_ += counted;
}

void LatencyHistogram::add(const LatencyHistogram &other)
{
    std::ranges::transform(counts_, other.counts_, counts_.begin(), std::plus());
    sum_ += other.sum_;
}

} // namespace jkvm
