// SPDX-License-Identifier: LGPL-2.1-or-later
// A snapshot of an element's statistics, properties and caps.
#pragma once

#include "common/gst_ref.h"
#include "core/stats/latency_histogram.h"
#include "metric_table.h"

#include <memory>
#include <string>

namespace jkvm {

/// Of an element, or of the child of a supervised bin that represents an element of its worker.
class ElementView {
public:
    explicit ElementView(GstObject *element);

    /// Returns the element's name with those of its parent bins, except the pipeline: "bin/source".
    [[nodiscard]] const std::string &name() const { return name_; }
    /// Returns the name of the outermost bin; empty for an element without a parent.
    [[nodiscard]] const std::string &pipeline() const { return pipeline_; }
    [[nodiscard]] wire::Direction direction() const { return direction_; }

    struct Value {
        double number = 0;
        std::string text; ///< of a string field; the number is then 1
    };
    /// Returns the value in the unit of the field; nothing if the element has no such field.
    [[nodiscard]] std::optional<Value> value(Source source, const char *field) const;

    struct Histogram {
        LatencyHistogram::Counts counts{};
        nanoseconds sum{0};
    };
    /// Returns nothing if the element has no such latency.
    [[nodiscard]] std::optional<Histogram> histogram(const StageMetric &stage) const;

private:
    struct Free {
        void operator()(GstStructure *structure) const { gst_structure_free(structure); }
    };

    GstObject *element_; // must outlive this object
    std::unique_ptr<GstStructure, Free> stats_;
    GstRef<GstCaps> caps_; // empty before negotiation
    std::string name_;
    std::string pipeline_;
    wire::Direction direction_ = wire::Direction::output;
};

} // namespace jkvm
