// SPDX-License-Identifier: LGPL-2.1-or-later
// What an element shows of itself at one moment: statistics, properties, caps.
#pragma once

#include "common/gst_ref.h"
#include "core/stats/latency_histogram.h"
#include "metric_table.h"

#include <memory>
#include <string>

namespace jkvm {

class ElementView {
public:
    explicit ElementView(GstElement *element);

    /// Its name, behind those of the bins that it is in, but for the pipeline: "bin/source".
    [[nodiscard]] const std::string &name() const { return name_; }
    /// Of the outermost bin; empty for an element that is in none.
    [[nodiscard]] const std::string &pipeline() const { return pipeline_; }
    [[nodiscard]] wire::Direction direction() const { return direction_; }

    struct Value {
        double number = 0;
        std::string text; ///< of a field that is one; the number is 1 then
    };
    /// As it is, in the unit of the field. Nothing when the element has no such thing.
    [[nodiscard]] std::optional<Value> value(Source source, const char *field) const;

    struct Histogram {
        LatencyHistogram::Counts counts{};
        nanoseconds sum{0};
    };
    /// Nothing when it has no such latency.
    [[nodiscard]] std::optional<Histogram> histogram(const StageMetric &stage) const;

private:
    struct Free {
        void operator()(GstStructure *structure) const { gst_structure_free(structure); }
    };

    GstElement *element_; // outlives this
    std::unique_ptr<GstStructure, Free> stats_;
    GstRef<GstCaps> caps_; // empty before negotiation
    std::string name_;
    std::string pipeline_;
    wire::Direction direction_ = wire::Direction::output;
};

} // namespace jkvm
