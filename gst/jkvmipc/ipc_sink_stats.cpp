// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ipc_sink_stats.h"

#include "common/encoder_request.h"
#include "common/latency_fields.h"
#include "common/stream_record.h"

namespace jkvm {

namespace {

/// Returns the field encoder-request, or none if nothing is requested.
Fields request_field(const std::optional<wire::SettingsRequest> &request)
{
    Fields fields;
    if (request)
        fields.set("encoder-request", encoder_request_name, encoder_request_fields(*request));
    return fields;
}

Fields describe_stats(const PeerStats &client)
{
    return std::move(describe(client.info)
                         .set("frames", client.sent.frames)
                         .set("bytes", client.sent.bytes)
                         .set("dropped", client.sent.dropped)
                         .set("queued-frames", static_cast<guint>(client.queued_frames))
                         .set("queued-time", client.queued)
                         .set("max-queued-time", client.sent.max_queued)
                         .append(latency_fields(client.sent.latency))
                         .set("send-buffer", client.buffers.send)
                         .set("receive-buffer", client.buffers.receive)
                         .set("send-waiting", client.send_buffer_used)
                         .set("may-steer", client.may_steer)
                         .set("side-channel", client.has_side_channel)
                         .append(request_field(client.encoder_request)));
}

/// The maximum of each buffer and queue statistic over all clients.
struct Worst {
    explicit Worst(const std::vector<PeerStats> &clients)
    {
        for (const auto &client : clients) {
            send_buffer = std::max(send_buffer, client.buffers.send);
            receive_buffer = std::max(receive_buffer, client.buffers.receive);
            waiting = std::max(waiting, client.send_buffer_used);
            queued_frames = std::max(queued_frames, static_cast<guint>(client.queued_frames));
            if (client.buffers.send > 0)
                used_percent = std::max(used_percent, 100.0 * client.send_buffer_used /
                                                          static_cast<double>(client.buffers.send));
        }
    }

    int send_buffer = 0;
    int receive_buffer = 0;
    int waiting = 0;
    guint queued_frames = 0;
    double used_percent = 0;
};

} // namespace

Fields describe(const PeerInfo &client)
{
    return std::move(Fields().set("id", client.id).set("pid", client.pid).set("uid", client.uid));
}

GstStructure *make_structure(const IpcSinkStats &stats)
{
    const auto &sender = stats.sender;
    const auto invalid = stats.dropped_invalid + stats.dropped_too_large;
    const auto dropped = sender.dropped_queue_full + sender.dropped_disconnected + invalid;
    const auto sending = sender.frames > 0
                             ? sender.sending / static_cast<std::int64_t>(sender.frames)
                             : nanoseconds(0);
    const Worst worst(sender.peers);
    std::vector<Fields> clients;
    for (const auto &client : sender.peers)
        clients.push_back(describe_stats(client));
    return Fields()
        .set("frames", sender.frames)
        .set("bytes", sender.bytes)
        .set("unheard", sender.unheard)
        .set("dropped", dropped)
        .set("dropped-queue-full", sender.dropped_queue_full)
        .set("dropped-disconnected", sender.dropped_disconnected)
        .set("dropped-invalid", stats.dropped_invalid)
        .set("dropped-too-large", stats.dropped_too_large)
        .set("muted", stats.muted)
        .set("connects", sender.connects)
        .set("rejects", sender.rejects)
        .set("protocol-errors", sender.protocol_errors)
        .set("slow-clients", sender.slow_peers)
        .append(latency_fields(sender.latency))
        .append(histogram_fields(sender.latency.histogram()))
        .append(histogram_fields(sender.delivery, "delivery"))
        .set("send-buffer", worst.send_buffer)
        .set("receive-buffer", worst.receive_buffer)
        .set("send-waiting", worst.waiting)
        .set("send-buffer-utilization", worst.used_percent)
        .append(record_fields({.received = sender.frames + invalid,
                               .processed = sender.frames,
                               .dropped = dropped,
                               .bytes = sender.bytes,
                               .disconnects = sender.disconnects,
                               .last_frame = sender.last_frame,
                               .average_latency = sender.latency.average()}))
        .set("avg_processing_time_ns", sending)
        .set("batch_size", 1U)
        .set("channel_buffer_size", stats.queue_capacity)
        .set("channel_current_size", worst.queued_frames)
        .set("connected", !sender.peers.empty())
        .append(request_field(sender.encoder_request))
        .set("clients", "client", std::move(clients))
        .release("application/x-jkvm-ipcsink-stats");
}

} // namespace jkvm
