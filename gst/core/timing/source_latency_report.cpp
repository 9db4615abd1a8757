// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/timing/source_latency_report.h"

#include <algorithm>
#include <utility>

namespace jkvm {

namespace {

nanoseconds with_margin(nanoseconds latency)
{
    const auto bounded = std::clamp(latency, nanoseconds(0), SourceLatencyReport::max_latency);
    const auto needed =
        std::min(bounded + SourceLatencyReport::margin, SourceLatencyReport::max_latency);
    return (needed + SourceLatencyReport::step - nanoseconds(1)) / SourceLatencyReport::step *
           SourceLatencyReport::step;
}

} // namespace

SourceLatencyReport::SourceLatencyReport(nanoseconds expected) : value_(with_margin(expected)) {}

void SourceLatencyReport::record(nanoseconds latency)
{
    if (std::exchange(is_first_, false)) {
        count_ = 0;
        update(latency);
        return;
    }
    minimum_ = count_ == 0 ? latency : std::min(minimum_, latency);
    if (++count_ < window)
        return;
    count_ = 0;
    update(minimum_);
}

void SourceLatencyReport::update(nanoseconds latency)
{
    const auto needed = with_margin(latency);
    if (needed > value_ || needed <= value_ - 2 * step)
        value_ = needed;
}

} // namespace jkvm
