// SPDX-License-Identifier: LGPL-2.1-or-later
#include "common/latency_message.h"

#include "common/latency_fields.h"

namespace jkvm {

const PropertyTable<LatencyThresholds> &latency_properties()
{
    using namespace std::chrono_literals;
    using T = LatencyThresholds;
    static const PropertyTable<T> table{
        row("latency-warning", "Latency warning",
            "Average latency above which jkvm-latency is posted with the reason high (ms); 0 = off",
            between(0ms, 1min), mutable_playing, &T::warning),
        row("latency-critical", "Critical latency",
            "Average latency above which jkvm-latency is posted with the reason critical (ms); "
            "0 = off",
            between(0ms, 1min), mutable_playing, &T::critical),
    };
    return table;
}

void LatencyMessages::post(const LatencyWatch::Change &change)
{
    const auto &values = change.values;
    messages_.post(name_of(change.level), Fields()
                                              .set("current", values.current)
                                              .set("average", values.average)
                                              .set("p95", values.p95)
                                              .set("trend", std::string(nick(values.trend))));
}

} // namespace jkvm
