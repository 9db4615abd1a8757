// SPDX-License-Identifier: LGPL-2.1-or-later
// What can be set on jkvmadaptivequeue; all of it at any time.
#pragma once

#include "common/stats_report.h"
#include "core/optimizer/optimizer.h"
#include "core/playout/playout.h"

#include <gst/gst.h>

namespace jkvm {

enum class LatencyMode { offset, reported, fixed };

/// What happens to a buffer for which there is no room. The numbers are those of the element
/// queue.
enum class Leak { no, upstream, downstream };

struct QueueSettings {
    /// The id of the element's first property that is no setting.
    static constexpr guint own = 34;

    PlayoutConfig playout;
    LatencyMode latency_mode = LatencyMode::offset;
    nanoseconds output_margin = std::chrono::milliseconds(10);
    Leak leak = Leak::downstream;
    guint max_buffers = 200;                        ///< 0 = as many as there is room for
    guint max_bytes = 10 * 1024 * 1024;             ///< 0 = unlimited
    nanoseconds max_time = std::chrono::seconds(1); ///< 0 = unlimited
    bool is_silent = false;
    bool optimizes = false; ///< the sender's encoder
    OptimizerConfig optimizer;
    nanoseconds report_interval = StatsReport::default_interval;

    static void install(GObjectClass *klass);
    /// False: not one of these properties.
    bool set(guint id, const GValue *value);
    bool get(guint id, GValue *value);

    /// What the engine gets.
    [[nodiscard]] PlayoutConfig playout_config() const;
    [[nodiscard]] const char *policy_nick() const;
    [[nodiscard]] const char *latency_mode_nick() const;
};

} // namespace jkvm
