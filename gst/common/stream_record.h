// SPDX-License-Identifier: LGPL-2.1-or-later
// The account of a stream of frames under the names that JetKVM's users know.
#pragma once

#include "common/fields.h"

namespace jkvm {

/// What an element did with the frames that it got. The times are guint64, ns; the last frame's is
/// the wall clock's, since the Unix epoch.
struct StreamRecord {
    std::uint64_t received = 0;    ///< frames
    std::uint64_t processed = 0;   ///< frames that went on
    std::uint64_t dropped = 0;     ///< frames that did not
    std::uint64_t bytes = 0;       ///< of Opus received
    std::uint64_t disconnects = 0; ///< connections that ended
    WallTime last_frame{};         ///< when it was received
    nanoseconds average_latency{0};
};

/// frames-received, frames-dropped, bytes-processed, connection-drops, last-frame-time,
/// average-latency; processed_frames, dropped_frames, drop_rate_percent (gdouble, of both).
Fields record_fields(const StreamRecord &record);

} // namespace jkvm
