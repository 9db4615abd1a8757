// SPDX-License-Identifier: LGPL-2.1-or-later
// The statistics of jkvmadaptivequeue as a GstStructure.
#pragma once

#include "common/fields.h"
#include "queue_state.h"

namespace jkvm {

struct QueueStats {
    PlayoutStats playout;
    std::uint64_t dropped_new = 0; ///< buffers, with leaky=upstream
    bool sink_follows = false;     ///< timestamps
    nanoseconds frame_duration{0}; ///< of the last buffer
    nanoseconds lateness{0};       ///< of the last buffer
    LatencyMonitor latency;        ///< of played buffers, since their arrival
    std::optional<LoadSample> load;
    unsigned optimization_level = 0;
    std::uint64_t optimizations = 0;
    std::optional<nanoseconds> last_optimization;
    ThreadPriority::Granted scheduling = ThreadPriority::Granted::normal;
    QueueSettings settings;
    ClockPair now; ///< converts running times to dates

    [[nodiscard]] GstStructure *release() const;
};

/// Copies the data for the statistics, so that the structure is made without the lock. Must be
/// called without it.
QueueStats collect_stats(const QueueContext &context);

} // namespace jkvm
