// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/stats/latency_report.h"

#include <algorithm>

namespace jkvm {

namespace {

nanoseconds with_margin(nanoseconds latency)
{
    const auto needed = std::max(latency, nanoseconds(0)) + LatencyReport::margin;
    return (needed + LatencyReport::step - nanoseconds(1)) / LatencyReport::step *
           LatencyReport::step;
}

} // namespace

void LatencyReport::record(nanoseconds latency)
{
    if (is_first_) {
        is_first_ = false;
        count_ = 0;
        value_ = with_margin(latency);
        return;
    }
    least_ = count_ == 0 ? latency : std::min(least_, latency);
    if (++count_ < window)
        return;
    count_ = 0;
    const auto needed = with_margin(least_);
    if (needed > value_ || needed <= value_ - 2 * step)
        value_ = needed;
}

} // namespace jkvm
