// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ipc_src_stats.h"

#include "common/latency_fields.h"
#include "common/source_state.h"
#include "common/stream_record.h"

namespace jkvm {

namespace {

/// Returns the field source, or none if the sender does not report it.
Fields source_field(const std::optional<wire::SourceState> &source)
{
    Fields fields;
    if (source)
        fields.set("source", source_state_name, source_state_fields(*source));
    return fields;
}

} // namespace

GstStructure *make_structure(const IpcSrcStats &stats)
{
    const auto &receive = stats.receive;
    const auto &stream = receive.stream;
    const auto dropped = stream.dropped_invalid + stream.dropped_early + stream.dropped_late;
    const double used = receive.buffers.receive > 0
                            ? 100.0 * receive.waiting / static_cast<double>(receive.buffers.receive)
                            : 0.0;
    return Fields()
        .set("connected", stream.connected)
        .set("connects", stream.connects)
        .set("dialect", receive.dialect ? wire::name(*receive.dialect) : std::string())
        .set("frames", stream.frames)
        .set("bytes", stream.bytes)
        .set("dropped", dropped)
        .set("dropped-invalid", stream.dropped_invalid)
        .set("dropped-early", stream.dropped_early)
        .set("dropped-late", stream.dropped_late)
        .set("lost", stream.lost)
        .set("muted", stats.muted)
        .set("implausible-timestamps", stream.implausible_timestamps)
        .set("drift-ppm", receive.drift_ppm)
        .set("protocol-errors", stream.protocol_errors)
        .set("rejects", receive.rejects)
        .set("requests-unsupported", receive.requests_unsupported)
        .append(source_field(receive.source))
        .append(latency_fields(stream.latency))
        .append(histogram_fields(stream.latency.histogram()))
        .set("send-buffer", receive.buffers.send)
        .set("receive-buffer", receive.buffers.receive)
        .set("receive-waiting", receive.waiting)
        .set("receive-buffer-utilization", used)
        .append(pool_fields(stats.pool))
        .set("scheduling", std::string(name_of(stats.scheduling)))
        .append(record_fields({.received = stream.frames,
                               .processed = stream.frames - dropped,
                               .dropped = dropped,
                               .bytes = stream.bytes,
                               .disconnects = receive.disconnects,
                               .last_frame = stream.last_frame,
                               .average_latency = stream.latency.average()}))
        .set("client_total_frames", stream.frames)
        .set("client_dropped_frames", dropped)
        .release("application/x-jkvm-ipcsrc-stats");
}

} // namespace jkvm
