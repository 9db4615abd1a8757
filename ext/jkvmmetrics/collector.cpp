// SPDX-License-Identifier: LGPL-2.1-or-later
#include "collector.h"

#include "element_view.h"

#include <prometheus/metric_family.h>

#include <unistd.h>

#include <chrono>
#include <limits>
#include <map>
#include <sstream>

namespace jkvm {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using Labels = std::vector<ClientMetric::Label>;

struct LabelledView {
    ElementView view;
    Labels labels; // element, pipeline
};

/// Makes the labels of elements unique: Prometheus rejects a page on which two metrics have the
/// same labels, so the second pipeline of a name is labelled "NAME#2".
class LabelMaker {
public:
    Labels make(const ElementView &view)
    {
        const auto count = ++seen_[{view.pipeline(), view.name()}];
        auto pipeline = view.pipeline();
        if (count > 1)
            pipeline += "#" + std::to_string(count);
        return {{"element", view.name()}, {"pipeline", pipeline}};
    }

private:
    std::map<std::pair<std::string, std::string>, unsigned> seen_;
};

double seconds(double nanoseconds)
{
    return nanoseconds / 1e9;
}

double seconds(nanoseconds time)
{
    return std::chrono::duration<double>(time).count();
}

/// Bytes.
double memory_of_machine()
{
    return static_cast<double>(::sysconf(_SC_PHYS_PAGES)) *
           static_cast<double>(::sysconf(_SC_PAGESIZE));
}

double in_unit(double value, Unit unit)
{
    switch (unit) {
    case Unit::nanoseconds:
        return seconds(value);
    case Unit::microseconds:
        return seconds(1000 * value);
    case Unit::bits:
        return value / 1000;
    case Unit::memory:
        return value / memory_of_machine() * 100;
    case Unit::one:
        break;
    }
    return value;
}

/// "NAME=VALUE NAME=VALUE"
void append_labels(Labels &labels, const char *text)
{
    std::istringstream words(text);
    for (std::string word; words >> word;) {
        const auto middle = word.find('=');
        labels.push_back({word.substr(0, middle), word.substr(middle + 1)});
    }
}

std::optional<ClientMetric> make_metric(const Metric &metric, const LabelledView &element)
{
    const auto &[view, names] = element;
    if (metric.path && *metric.path != view.direction())
        return std::nullopt;
    const auto value = view.value(metric.source, metric.field);
    if (!value)
        return std::nullopt;
    ClientMetric made;
    made.label = names;
    append_labels(made.label, metric.labels);
    if (!value->text.empty())
        made.label.push_back({"state", value->text});
    (metric.kind == MetricKind::counter ? made.counter.value : made.gauge.value) =
        in_unit(value->number, metric.unit);
    return made;
}

std::optional<ClientMetric> make_histogram(const StageMetric &stage, const LabelledView &element)
{
    const auto histogram = element.view.histogram(stage);
    if (!histogram)
        return std::nullopt;
    ClientMetric made;
    made.label = element.labels;
    made.label.push_back({"stage", stage.stage});
    std::uint64_t count = 0;
    for (std::size_t i = 0; i < histogram->counts.size(); ++i) {
        count += histogram->counts[i];
        const bool is_last = i == LatencyHistogram::bounds.size();
        made.histogram.bucket.push_back({count, is_last ? std::numeric_limits<double>::infinity()
                                                        : seconds(LatencyHistogram::bounds[i])});
    }
    made.histogram.sample_count = count;
    made.histogram.sample_sum = seconds(histogram->sum);
    return made;
}

} // namespace

std::vector<MetricFamily> Collector::Collect() const
{
    const auto elements = elements_.existing();
    LabelMaker label_maker;
    std::vector<LabelledView> views;
    for (const auto &element : elements) {
        ElementView view(element.get());
        auto labels = label_maker.make(view);
        views.push_back({std::move(view), std::move(labels)});
    }

    std::vector<MetricFamily> families;
    const auto family = [&](const char *name, const char *help, prometheus::MetricType type) {
        if (families.empty() || families.back().name != name)
            families.push_back({name, help, type, {}});
        return &families.back().metric;
    };
    for (const auto &metric : metric_table()) {
        auto *to = family(metric.name, metric.help,
                          metric.kind == MetricKind::counter ? prometheus::MetricType::Counter
                                                             : prometheus::MetricType::Gauge);
        for (const auto &view : views)
            if (auto made = make_metric(metric, view))
                to->push_back(std::move(*made));
    }
    auto *histograms =
        family(stage_metric_name, stage_metric_help, prometheus::MetricType::Histogram);
    for (const auto &stage : stage_table())
        for (const auto &view : views)
            if (auto made = make_histogram(stage, view))
                histograms->push_back(std::move(*made));
    std::erase_if(families, [](const MetricFamily &f) { return f.metric.empty(); });
    return families;
}

} // namespace jkvm
