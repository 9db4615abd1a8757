// SPDX-License-Identifier: LGPL-2.1-or-later
// The statistics of the living elements as Prometheus metrics.
#pragma once

#include "element_list.h"

#include <prometheus/collectable.h>

namespace jkvm {

/// Reads the statistics when it is asked, and only then: a pipeline that nobody scrapes pays
/// nothing. Thread-safe.
class Collector final : public prometheus::Collectable {
public:
    void add(GstElement *element) { elements_.add(element); }

    /// In the order of metric_table(); what no element has is left out.
    [[nodiscard]] std::vector<prometheus::MetricFamily> Collect() const override;

private:
    mutable ElementList elements_;
};

} // namespace jkvm
