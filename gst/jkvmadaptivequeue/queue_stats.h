// SPDX-License-Identifier: LGPL-2.1-or-later
// jkvmadaptivequeue's statistics as a structure.
#pragma once

#include "common/fields.h"
#include "core/playout/playout.h"
#include "core/stats/latency_monitor.h"
#include "queue_settings.h"

namespace jkvm {

struct QueueStats {
    PlayoutStats playout;
    std::uint64_t dropped_new = 0; ///< buffers, with leaky=upstream
    nanoseconds frame_duration{0}; ///< of the last buffer
    nanoseconds lateness{0};       ///< of the last buffer
    LatencyMonitor latency;        ///< of what has played
    unsigned optimization_level = 0;
    std::uint64_t optimizations = 0;
    std::optional<nanoseconds> last_optimization;
    QueueSettings settings;
    ClockPair now; ///< for what is told as a date

    [[nodiscard]] GstStructure *release() const;
};

} // namespace jkvm
