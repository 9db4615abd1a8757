// SPDX-License-Identifier: LGPL-2.1-or-later
// Which field of an element's statistics becomes which metric.
#pragma once

#include "core/wire/message.h"

#include <cstdint>
#include <optional>
#include <span>

namespace jkvm {

/// Where the value comes from.
enum class Source {
    stats,    ///< a field of the property `stats`
    property, ///< a property of the element
    caps,     ///< a field of the caps of the element's pad
};

/// Only counters grow for as long as the element is open.
enum class MetricKind { counter, gauge };

/// What the field's value is. A text is none of these: it becomes the label `state`, with value 1.
enum class Unit {
    one,
    nanoseconds, ///< served in seconds
    bits,        ///< served in kilobits
    memory,      ///< bytes, served in percent of the machine's
};

/// Whether the metric is about one direction of the sound: its name says so.
using Path = std::optional<wire::Direction>;

struct Metric {
    const char *field;
    Source source;
    Path path;
    MetricKind kind;
    Unit unit;
    const char *name;
    const char *labels; ///< "NAME=VALUE NAME=VALUE", beside element and pipeline; may be empty
    const char *help;
};

/// All metrics with one value; those of the same name stand together.
std::span<const Metric> metric_table();

/// A latency of which the statistics have the fields PREFIX-buckets and PREFIX-sum. All are served
/// as one histogram, told apart by the label `stage`.
struct StageMetric {
    const char *structure; ///< name of the statistics
    const char *prefix;
    const char *stage;
    const char *help;
};

inline constexpr const char *stage_metric_name = "jkvm_latency_seconds";
inline constexpr const char *stage_metric_help =
    "Latencies by stage: encode = one frame in the encoder; sink, ipc, receiver = from the capture "
    "of a frame's first sample to jkvmipcsink, to a client's socket, to jkvmipcsrc; queue = one "
    "frame in jkvmadaptivequeue";

std::span<const StageMetric> stage_table();

} // namespace jkvm
