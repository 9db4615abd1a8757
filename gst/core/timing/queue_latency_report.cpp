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
    const auto wanted = round_up(needed);
    if (wanted + least_fall > value_) {
        calm_since_.reset();
    } else {
        if (!calm_since_) {
            calm_since_ = now;
            most_needed_ = wanted;
        }
        most_needed_ = std::max(most_needed_, wanted);
    }

    if (last_change_ && now - *last_change_ < least_interval)
        return false;
    if (wanted > value_)
        value_ = wanted;
    else if (calm_since_ && now - *calm_since_ >= calm_before_fall)
        value_ = most_needed_;
    else
        return false;
    last_change_ = now;
    calm_since_.reset();
    return true;
}

} // namespace jkvm
