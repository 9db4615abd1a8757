// SPDX-License-Identifier: LGPL-2.1-or-later
// clang-format off
/**
 * SECTION:element-jkvmipcsink
 * @title: jkvmipcsink
 * @short_description: Sends Opus frames through a JetKVM audio socket
 *
 * Listens on a Unix socket and sends each Opus packet to every connected client, as one message of the
 * JetKVM audio protocol. With direction=microphone or mode=connect it connects to a server instead, and
 * reconnects when the connection ends.
 *
 * It never waits for a client. Frames that a client does not read are queued for it up to
 * max-queue-time, up to half of that in the kernel (at least 100 ms). If more is queued, the oldest
 * frame is dropped and counted, for that client only. A client that loses 50 frames in a row, or reads
 * nothing for 2 s, is disconnected. A new client starts with the next frame. Each frame is sent with the
 * capture time of its first sample as wall-clock time, calculated from the buffer's timestamp.
 *
 * An element that connects for the microphone holds the frames of the last hold-time until the
 * connection is established. It watches the directory of the socket, so that it connects as soon as the
 * server appears.
 *
 * With client-policy=replace the newest client is served. A process that was displaced by another one is
 * turned away until the newest client disconnects, so that two clients that reconnect automatically do
 * not displace each other endlessly. A client that was turned away, for this reason or because there were
 * too many, comes back as soon as a served client disconnects.
 *
 * With mute, each frame is replaced by coded silence of the same duration, channels and mode, from the next
 * frame on. Timestamps are those of the original frames, and bytes counts the coded silence. A decoder
 * fades within a few milliseconds, in SILK and hybrid modes to silence within about 60 ms. In these modes a voiced frame that
 * follows starts as after a loss.
 *
 * The socket path is claimed with a lock on PATH.lock. The socket file of a crashed server is
 * replaced; that of a running server, and any file that is not a socket, is left alone.
 *
 * A jkvm:// URI holds all settings in one string: jkvm:///run/a.sock?direction=microphone&mode=listen,
 * or jkvm:///@NAME for an abstract socket. Every property that can be set in READY is a parameter.
 *
 * |[
 * gst-launch-1.0 jkvmaudiosrc device=hw:0,0 ! jkvmipcsink socket-path=$XDG_RUNTIME_DIR/a.sock
 * gst-launch-1.0 audiotestsrc is-live=true ! opusenc ! jkvmipcsink socket-path=$XDG_RUNTIME_DIR/a.sock
 * ]|
 *
 * With dialect=auto, the default, frames have the 17-byte header that the clients of a JetKVM read: v1.
 *
 * Encoder settings that clients request are pushed upstream as the event jkvm-encoder-request, whose
 * fields are listed on the page of jkvmipcsrc. A jkvmipcsrc sends its requests through a side channel, in every
 * dialect, other clients as an OpusConfig (v2 and v3). The requests of several clients are combined, field by
 * field: the lowest bitrate, complexity and bandwidth, the longest frame, the highest packet-loss-percentage; a
 * field that no client requests is absent. A request ends when its client withdraws it or disconnects; after the
 * last one has ended, the event has withdrawn=TRUE. With steering-uids, only the requests of these users count;
 * those of other users are ignored.
 *
 * In the opposite direction, the side channel carries the state of the source: the sticky event jkvm-source from
 * upstream, as jkvmaudiosrc pushes it, this element's mute, and the number of clients. A jkvmipcsrc receives it
 * when it connects and after each change, at most 50 times per second.
 *
 * Whenever the number of its connected clients changes, and with each CAPS, SEGMENT, FLUSH_STOP and
 * jkvm-source event, the element pushes the event jkvm-demand (GST_EVENT_CUSTOM_UPSTREAM) upstream. Its fields are listeners (guint), the number of
 * clients, and sink (gchararray), the path of the element. While no client is connected,
 * jkvmaudiosrc is idle, see its property when-unheard, so there are no frames for hold-time to hold.
 *
 * ## Statistics
 *
 * The property stats is a structure application/x-jkvm-ipcsink-stats with these fields. While buffers
 * flow, it is also logged (INFO) and posted as an element message every stats-interval. Counters never
 * decrease while the element is in PAUSED or PLAYING, and remain readable afterwards.
 *
 * | field | type | meaning |
 * |---|---|---|
 * | frames | guint64 | frames received from upstream and offered to the clients |
 * | bytes | guint64 | Opus data in these frames (bytes) |
 * | unheard | guint64 | frames that were sent to no client because none was connected |
 * | dropped | guint64 | sum of the next four |
 * | dropped-queue-full | guint64 | frames dropped because more than max-queue-time was queued for a client, summed over all clients |
 * | dropped-disconnected | guint64 | frames still queued for a client when its connection ended, summed over all clients |
 * | dropped-invalid | guint64 | buffers that are not an Opus packet |
 * | dropped-too-large | guint64 | packets that are too large for a message of the dialect |
 * | muted | guint64 | frames replaced by silence because of mute |
 * | connects | guint64 | connections made |
 * | rejects | guint64 | clients turned away: too many, replaced or forbidden |
 * | protocol-errors | guint64 | clients disconnected for a protocol violation |
 * | slow-clients | guint64 | clients disconnected for being too slow: they lost 50 frames in a row or read nothing for 2 s |
 * | latency-current, latency-average, latency-min, latency-max | guint64 | from the capture of a frame's first sample to its arrival here (ns) |
 * | latency-jitter | guint64 | mean absolute deviation of the last 100 latencies from the average (ns) |
 * | latency-p50, latency-p95, latency-p99 | guint64 | quantiles over about two minutes (ns) |
 * | latency-samples | guint64 | number of latencies measured |
 * | latency-trend | gchararray | trend of the last 10 latencies: stable, increasing, decreasing, volatile |
 * | latency-buckets | GstValueArray of guint64 | histogram: number of frames with a latency of at most 0.1, 0.5, 1, 2.5, 5, 10, 20, 25, 30, 40, 50, 75, 100, 200, 500, 1000, 2500 ms, or more; each frame is counted once |
 * | latency-sum | guint64 | sum of the latencies in latency-buckets (ns) |
 * | delivery-buckets, delivery-sum | as above | from the capture to the kernel; each frame is counted once for each client |
 * | send-buffer, receive-buffer | gint | socket buffer sizes as the kernel counts them (bytes); maximum over the clients |
 * | send-waiting | gint | data that a client has not read, as the kernel counts it (bytes); maximum over the clients |
 * | send-buffer-utilization | gdouble | the same as a share of that client's send-buffer (%) |
 * | clients | GstValueArray of GstStructure | connected clients: id, pid, uid; frames, bytes, dropped (as above); queued-frames (guint), queued here; queued-time (ns), duration of the audio that the client has not read, here and in the kernel; max-queued-time (ns), observed maximum of queued-time; latency-current to latency-trend, from capture to the kernel; send-buffer, receive-buffer, send-waiting (as above); may-steer (gboolean), whether its requests count; side-channel (gboolean), whether it has one; encoder-request (as below), its own request |
 * | encoder-request | GstStructure | the combined request of the clients, with the fields of jkvm-encoder-request; absent without a request |
 *
 * The same under the names used by JetKVM:
 *
 * | field | type | meaning |
 * |---|---|---|
 * | frames-received | guint64 | frames, plus those dropped as invalid or too large |
 * | processed_frames | guint64 | frames |
 * | frames-dropped, dropped_frames | guint64 | dropped |
 * | drop_rate_percent | gdouble | share of dropped in the sum of frames and dropped (%) |
 * | bytes-processed | guint64 | bytes |
 * | connection-drops | guint64 | connections that ended before the element was stopped |
 * | last-frame-time | guint64 | arrival of the last frame (ns since the Unix epoch) |
 * | average-latency | guint64 | latency-average |
 * | avg_processing_time_ns | guint64 | mean time to send a frame to all clients (ns) |
 * | batch_size | guint | frames sent together: always 1 |
 * | channel_buffer_size, channel_current_size | guint | maximum number of frames queued for a client, and the longest queue |
 * | connected | gboolean | whether a client is connected |
 *
 * ## Messages
 *
 * At most one message with the same name and reason is posted per second. Messages that were not posted
 * are counted in the field suppressed (guint) of the next one.
 *
 * jkvm-client is posted when a client connects or disconnects. Its fields are reason (added, closed,
 * violation, slow, replaced, too-many, forbidden, ended), id, pid, uid and detail. An element that
 * connects posts it for the server in the same way: replaced, too-many and forbidden are then the
 * server's reasons for turning it away, and forbidden is also posted for a server whose user is not in
 * allowed-uids. A failed attempt to connect is posted with the fields reason, socket-path and detail;
 * the reason is forbidden if this process has no permission to connect to the socket, otherwise
 * unreachable.
 *
 * jkvm-link is posted by an element that connects, as by jkvmipcsrc, when the state of the connection changes.
 * Its fields are reason (connected, unreachable, closed, violation, slow, too-many, replaced, forbidden),
 * socket-path and detail.
 *
 * jkvm-session is posted for the clients of an element that listens. Its fields are reason, id, pid and uid. The
 * reason is started (a first frame was sent to the client; first-frame is its running time, ns), stopped (the
 * client disconnected after a Stop), lost (the connection ended without one, was closed for a violation, or the
 * client was too slow) or replaced (by the client by-pid, by-uid). A client that was turned away, or that left
 * before the first frame, has no session.
 *
 * ## Signals
 *
 * | signal | when |
 * |---|---|
 * | client-connecting (gint pid, guint uid) -> gboolean | a client of an allowed user connects; return FALSE to turn it away |
 * | client-added (guint64 id, gint pid, guint uid) | a client was connected |
 * | client-removed (guint64 id, gchararray reason) | a client was disconnected, or turned away; reason as in jkvm-client |
 *
 * These messages and the signals are posted and emitted from a thread of the element. A handler must not
 * change the element's state there; it can use gst_element_call_async().
 *
 * Since: 0.1
 */
// clang-format on
#include "gstjkvmipcsink.h"

#include "client_connecting.h"
#include "common/codec_caps.h"
#include "common/element_type.h"
#include "common/open_in_ready.h"
#include "ipc_sink.h"

GST_DEBUG_CATEGORY(jkvm_ipc_sink_debug);

using jkvm::IpcSink;
using jkvm::open_in_ready;

struct _GstJkvmIpcSink {
    GstBaseSink parent;
};

JKVM_DEFINE_ELEMENT(GstJkvmIpcSink, gst_jkvm_ipc_sink, GST_TYPE_BASE_SINK, IpcSink)

static void install_signals(GObjectClass *object_class)
{
    /**
     * GstJkvmIpcSink::client-connecting:
     * @pid: process id of the client (gint)
     * @uid: user id of the client (guint)
     *
     * A client of an allowed user connects. Emitted from the element's service thread.
     *
     * Returns: FALSE to turn the client away.
     *
     * Since: 0.1
     */
    IpcSink::signals.client_connecting = jkvm::install_client_connecting(object_class);
    /**
     * GstJkvmIpcSink::client-added:
     * @id: id of the client, as in the statistics (guint64)
     * @pid: process id of the client (gint)
     * @uid: user id of the client (guint)
     *
     * A client was connected. Emitted from the element's service thread.
     *
     * Since: 0.1
     */
    IpcSink::signals.client_added =
        g_signal_new("client-added", G_TYPE_FROM_CLASS(object_class), G_SIGNAL_RUN_LAST, 0, nullptr,
                     nullptr, nullptr, G_TYPE_NONE, 3, G_TYPE_UINT64, G_TYPE_INT, G_TYPE_UINT);
    /**
     * GstJkvmIpcSink::client-removed:
     * @id: id of the client (guint64)
     * @reason: the reason, as in the message jkvm-client (utf8)
     *
     * A client was disconnected, or turned away. Emitted from the element's service
     * thread.
     *
     * Since: 0.1
     */
    IpcSink::signals.client_removed =
        g_signal_new("client-removed", G_TYPE_FROM_CLASS(object_class), G_SIGNAL_RUN_LAST, 0,
                     nullptr, nullptr, nullptr, G_TYPE_NONE, 2, G_TYPE_UINT64, G_TYPE_STRING);
}

static void gst_jkvm_ipc_sink_configure_class(GstJkvmIpcSinkClass *klass)
{
    GST_DEBUG_CATEGORY_INIT(jkvm_ipc_sink_debug, "jkvmipcsink", 0, "JetKVM audio socket sink");

    auto *object_class = G_OBJECT_CLASS(klass);

    jkvm::ipc_sink_properties().install(object_class);
    IpcSink::live_properties().install(object_class);
    install_signals(object_class);

    auto *element_class = GST_ELEMENT_CLASS(klass);
    static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE(
        "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(JKVM_STREAM_CAPS));
    gst_element_class_add_static_pad_template(element_class, &sink_template);
    gst_element_class_set_static_metadata(
        element_class, "JetKVM audio socket sink", "Sink/Audio/Network",
        "Serves Opus frames to the clients of a JetKVM audio socket", "the jkvm developers");

    element_class->change_state = [](GstElement *self, GstStateChange transition) noexcept {
        return open_in_ready(impl(self), gst_jkvm_ipc_sink_parent_class, self, transition);
    };

    auto *sink_class = GST_BASE_SINK_CLASS(klass);
    sink_class->set_caps = [](GstBaseSink *self, GstCaps *caps) noexcept -> gboolean {
        return impl(self).set_caps(caps);
    };
    sink_class->event = [](GstBaseSink *self, GstEvent *event) noexcept -> gboolean {
        const bool may_lack_demand = impl(self).on_event(event);
        const gboolean is_handled =
            GST_BASE_SINK_CLASS(gst_jkvm_ipc_sink_parent_class)->event(self, event);
        if (may_lack_demand)
            impl(self).repeat_demand();
        return is_handled;
    };
    sink_class->render = [](GstBaseSink *self, GstBuffer *buffer) noexcept {
        return impl(self).render(buffer);
    };
}
