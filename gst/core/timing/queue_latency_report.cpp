// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/timing/queue_latency_report.h"

#include <algorithm>

namespace jkvm {

namespace {

nanoseconds round_up(nanoseconds latency)
{
    return (latency + QueueLatencyReport::step - nanoseconds(1)) / QueueLatencyReport::step *
           QueueLatencyReport::step;
}

} // namespace

void QueueLatencyReport::reset(nanoseconds needed)
{
    *this = QueueLatencyReport();
    value_ = round_up(needed);
}

bool QueueLatencyReport::update(nanoseconds needed, nanoseconds now)
{
    const auto required = round_up(needed);
    if (required + minimum_fall > value_) {
        calm_since_.reset();
    } else {
        if (!calm_since_) {
            calm_since_ = now;
            maximum_needed_ = required;
        }
        maximum_needed_ = std::max(maximum_needed_, required);
    }

    if (last_change_ && now - *last_change_ < minimum_interval)
        return false;
    if (required > value_)
        value_ = required;
    else if (calm_since_ && now - *calm_since_ >= calm_before_fall)
        value_ = maximum_needed_;
    else
        return false;
    last_change_ = now;
    calm_since_.reset();
    return true;
}

} // namespace jkvm
