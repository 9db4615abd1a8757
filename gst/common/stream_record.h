// SPDX-License-Identifier: LGPL-2.1-or-later
// Converts the counters of a stream to fields with the names of JetKVM's own statistics.
#pragma once

#include "common/fields.h"

namespace jkvm {

/// Counters of the frames that an element received.
struct StreamRecord {
    std::uint64_t received = 0;    ///< frames
    std::uint64_t processed = 0;   ///< forwarded frames
    std::uint64_t dropped = 0;     ///< dropped frames
    std::uint64_t bytes = 0;       ///< received bytes of Opus
    std::uint64_t disconnects = 0; ///< closed connections
    WallTime last_frame{};         ///< arrival of the last frame; 0 = none
    nanoseconds average_latency{0};
};

/// Returns frames-received, frames-dropped, bytes-processed, connection-drops, last-frame-time (ns
/// since the Unix epoch), average-latency (ns), processed_frames, dropped_frames (all guint64) and
/// drop_rate_percent (gdouble, dropped frames of both).
Fields record_fields(const StreamRecord &record);

} // namespace jkvm
