// SPDX-License-Identifier: LGPL-2.1-or-later
// The writable properties of jkvmadaptivequeue; all but the priority may be changed at any time.
#pragma once

#include "common/latency_message.h"
#include "common/property_table.h"
#include "common/stats_report.h"
#include "common/stream_priority.h"
#include "core/optimizer/optimizer.h"
#include "core/playout/playout.h"

#include <gst/gst.h>

namespace jkvm {

/// How the playout delay is changed.
enum class Adapt {
    automatic, ///< slew if the sink follows timestamps
    frames,
    slew,
};

enum class LatencyMode { offset, reported, fixed };

/// What happens to a buffer that exceeds the limits. The values are those of the element queue.
enum class Leak { no, upstream, downstream };

struct QueueSettings {
    PlayoutConfig playout;
    Adapt adapt = Adapt::automatic;
    LatencyMode latency_mode = LatencyMode::offset;
    nanoseconds output_margin = std::chrono::milliseconds(10);
    Leak leak = Leak::downstream;
    guint max_buffers = 200;                        ///< 0 = FrameRing::capacity - 1
    guint max_bytes = 10 * 1024 * 1024;             ///< 0 = unlimited
    nanoseconds max_time = std::chrono::seconds(1); ///< 0 = unlimited
    bool is_silent = false;
    bool is_optimizer_enabled = false;
    OptimizerConfig optimizer;
    LatencyThresholds latency;
    int priority = default_priority;
    nanoseconds report_interval = StatsReport::default_interval;

    /// The engine's configuration that results from all of these. `sink_follows`: the sink follows
    /// timestamps.
    [[nodiscard]] PlayoutConfig playout_config(bool sink_follows) const;
    [[nodiscard]] AdaptMode adapt_mode(bool sink_follows) const;
    [[nodiscard]] const char *adapt_nick() const;
    [[nodiscard]] const char *policy_nick() const;
    [[nodiscard]] const char *latency_mode_nick() const;
};

const PropertyTable<QueueSettings> &queue_properties();

} // namespace jkvm
