// SPDX-License-Identifier: LGPL-2.1-or-later
// Maps the fields of elements to metrics.
#pragma once

#include "core/wire/message.h"

#include <cstdint>
#include <optional>
#include <span>

namespace jkvm {

/// The origin of a value.
enum class Source {
    stats,    ///< a field of the property `stats`
    queue,    ///< the same, of jkvmadaptivequeue only
    sink,     ///< the same, of jkvmaudiosink only
    property, ///< a property of the element
    caps,     ///< a field of the caps of the element's pad
};

/// A counter is monotonic while the element is open.
enum class MetricKind { counter, gauge };

/// The unit of a field. A string has none: it becomes the label `state` of a metric with value 1.
enum class Unit {
    one,
    nanoseconds,  ///< served in seconds
    microseconds, ///< served in seconds
    bits,         ///< served in kilobits
    memory,       ///< bytes, served in percent of the machine's memory
};

/// The direction of the audio, for metrics whose name contains it.
using Path = std::optional<wire::Direction>;

struct Metric {
    const char *field;
    Source source;
    Path path;
    MetricKind kind;
    Unit unit;
    const char *name;
    const char *labels; ///< "NAME=VALUE NAME=VALUE", in addition to element and pipeline
    const char *help;
};

/// Returns all metrics with one value. Rows of the same name are adjacent.
std::span<const Metric> metric_table();

/// A latency with the fields PREFIX-buckets and PREFIX-sum in the statistics. All are served as one
/// histogram with the label `stage`.
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
    "frame in jkvmadaptivequeue; playout = from the capture to the audio device of jkvmaudiosink";

std::span<const StageMetric> stage_table();

} // namespace jkvm
