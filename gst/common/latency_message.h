// SPDX-License-Identifier: LGPL-2.1-or-later
// The properties latency-warning and latency-critical, and the element message jkvm-latency.
#pragma once

#include "common/element_message.h"
#include "common/property_table.h"
#include "core/stats/latency_watch.h"

namespace jkvm {

/// The thresholds as properties of an element.
const PropertyTable<LatencyThresholds> &latency_properties();

/// Posts jkvm-latency. Thread-safe.
class LatencyMessages {
public:
    explicit LatencyMessages(GstElement *element) : messages_(element, "jkvm-latency") {}

    /// Must be called without a lock, because a sync handler may call back into the element.
    void post(const LatencyWatch::Change &change);

private:
    ElementMessages messages_;
};

} // namespace jkvm
