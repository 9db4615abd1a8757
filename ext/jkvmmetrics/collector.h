// SPDX-License-Identifier: LGPL-2.1-or-later
// Converts the statistics of the existing elements to Prometheus metrics.
#pragma once

#include "element_list.h"

#include <prometheus/collectable.h>

namespace jkvm {

/// Reads the statistics only when they are scraped. Thread-safe.
class Collector final : public prometheus::Collectable {
public:
    void add(GstElement *element) { elements_.add(element); }

    /// Returns the metrics in the order of metric_table(), without those that no element has.
    [[nodiscard]] std::vector<prometheus::MetricFamily> Collect() const override;

private:
    mutable ElementList elements_;
};

} // namespace jkvm
