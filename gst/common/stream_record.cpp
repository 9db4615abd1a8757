// SPDX-License-Identifier: LGPL-2.1-or-later
#include "common/stream_record.h"

namespace jkvm {

Fields record_fields(const StreamRecord &record)
{
    const auto all = record.processed + record.dropped;
    const auto dropped = static_cast<double>(record.dropped);
    return std::move(
        Fields()
            .set("frames-received", record.received)
            .set("frames-dropped", record.dropped)
            .set("bytes-processed", record.bytes)
            .set("connection-drops", record.disconnects)
            .set("last-frame-time", record.last_frame.time_since_epoch())
            .set("average-latency", record.average_latency)
            .set("processed_frames", record.processed)
            .set("dropped_frames", record.dropped)
            .set("drop_rate_percent", all > 0 ? dropped / static_cast<double>(all) * 100 : 0.0));
}

} // namespace jkvm
