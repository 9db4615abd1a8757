// SPDX-License-Identifier: LGPL-2.1-or-later
// clang-format off
/**
 * SECTION:element-jkvmipcsrc
 * @title: jkvmipcsrc
 * @short_description: Receives Opus frames from a JetKVM audio socket
 *
 * Connects to the Unix socket of a server that speaks the JetKVM audio protocol (jkvmipcsink, or the
 * capture process of a JetKVM) and pushes every Opus packet that it receives. It can be started before
 * the server. By default it reconnects when the connection ends, with pauses of 50 ms to 2 s. With
 * direction=microphone or mode=listen it listens instead and serves one client at a time.
 *
 * The property client-policy decides which one. With replace it is the newest, as in JetKVM's playback
 * process; a process that was displaced by another one is turned away until the newest disconnects. With
 * reject the first client keeps its place until it disconnects. With queue up to 16 further clients stay
 * connected and wait. The served client is replaced when it disconnects or, unless it is sending frames, as
 * soon as another client sends some. Waiting clients are not notified, because no dialect has a message
 * for that; their frames are dropped. To mix several talkers, use one socket and one jkvmipcsrc for each,
 * as in the last example.
 *
 * A buffer's timestamp is the capture time sent by the server, converted to this pipeline's clock; with
 * timestamp-mode=arrival it is the time of arrival minus the packet's duration. Each buffer starts where
 * the previous one ended. If the server's sample clock drifts, buffers become up to 0.2 % longer or
 * shorter, so that drift causes neither gaps nor losses. With timestamp-mode=capture-even buffers keep the
 * exact duration of their packet, as RTP payloaders need it, and follow the clock only when they are off by
 * 500 ms. timestamp-mode=capture-stretched is for a sink that resamples to the rate of the timestamps, as
 * jkvmaudiosink: where the server's jkvmadaptivequeue has stretched them, which even intervals show, they
 * stay stretched by up to 0.6 %.
 *
 * A capture time that is later than expected by more than 40 ms shows a gap; if capture times are even,
 * a single missing frame is detected. The gap is announced with a GAP event, and the next buffer is
 * marked DISCONT. The missing frames count as lost, unless the sender paused: it sent a Stop or a DTX
 * packet before the gap, or more than one frame is missing and the frame after the gap has the usual
 * transit. While there is no server, a GAP event is pushed every 100 ms, so that decoders with plc=true,
 * mixers and muxers continue.
 *
 * Each buffer carries the sender's capture time as a GstReferenceTimestampMeta (timestamp/x-unix). A
 * Config message before the first buffer sets the caps. Without one, the caps are stereo, or mono with
 * direction=microphone. They do not change afterwards: an Opus decoder can decode any packet to the
 * channels that it was set up for, but muxers end a stream whose caps change. The pre-skip in the caps is
 * 312 samples, the usual look-ahead of an Opus encoder. After a Stop the next buffer is marked DISCONT.
 *
 * With heartbeat-interval, the connection to a peer that sends nothing for three intervals is closed.
 *
 * With mute, each frame is replaced by coded silence of the same duration, channels and mode, from the next
 * frame on. Timestamps and statistics are those of the original frames. A decoder fades within a few
 * milliseconds, in SILK and hybrid modes to silence within about 60 ms. In these modes a voiced frame that
 * follows starts as after a loss.
 *
 * A jkvm:// URI holds all settings in one string: jkvm:///run/a.sock?direction=microphone&mode=listen,
 * or jkvm:///@NAME for an abstract socket. Every property that can be set in READY is a parameter.
 *
 * |[
 * gst-launch-1.0 jkvmipcsrc socket-path=$XDG_RUNTIME_DIR/a.sock ! jkvmadaptivequeue ! opusdec plc=true ! audioconvert ! autoaudiosink
 * gst-launch-1.0 jkvmipcsrc socket-path=$XDG_RUNTIME_DIR/a.sock timestamp-mode=capture-even ! rtpopuspay ! udpsink host=192.168.0.2 port=5004
 * gst-launch-1.0 -e jkvmipcsrc socket-path=$XDG_RUNTIME_DIR/a.sock ! oggmux ! filesink location=a.ogg
 * gst-launch-1.0 audiomixer name=mix ! autoaudiosink jkvmipcsrc direction=microphone socket-path=$XDG_RUNTIME_DIR/1.sock ! jkvmadaptivequeue ! opusdec plc=true ! mix. jkvmipcsrc direction=microphone socket-path=$XDG_RUNTIME_DIR/2.sock ! jkvmadaptivequeue ! opusdec plc=true ! mix.
 * ]|
 *
 * ## Encoder requests
 *
 * The properties quality, bitrate, complexity, frame-size, dtx and packet-loss-percentage request settings of the
 * sender's encoder, quality and frame-size with the values of jkvmaudiosrc's properties. They are sent with each
 * connection and at each change, and withdrawn when they are unset or the connection ends. A single property takes
 * precedence over quality.
 *
 * |[
 * gst-launch-1.0 jkvmaudiosrc device=hw:0,0 ! jkvmipcsink socket-path=$XDG_RUNTIME_DIR/a.sock
 * gst-launch-1.0 jkvmipcsrc quality=low socket-path=$XDG_RUNTIME_DIR/a.sock ! fakesink
 * ]|
 *
 * A jkvmipcsink receives them through a side channel, in every dialect and without any setting. To another sender
 * they are sent as an OpusConfig, in the dialects v2 and v3, and withdrawn as a Config. For a v2 server, set
 * dialect=v2, because its frames cannot be told from those of v1. A request that the peer cannot receive in full
 * is counted as requests-unsupported, and the first one is reported by a warning on the bus. Dialect v1 has no message for
 * requests, and no dialect has one for packet-loss-percentage.
 *
 * The upstream event jkvm-encoder-request requests other encoder settings from the sender. A downstream
 * element may push it, as jkvmadaptivequeue does, or an application may send it to this element with
 * gst_element_send_event(). It is forwarded to the sender in the same way, and again on each new connection until
 * an event with withdrawn=TRUE arrives. Its structure has any of these fields; an integer may have any integer type:
 *
 * | field | type | range | meaning |
 * |---|---|---|---|
 * | quality | gchararray | low, medium, high, ultra | preset of jkvmaudiosrc; the other fields take precedence over it |
 * | rate | guint | 8000, 12000, 16000, 24000, 48000 | sample rate (Hz) |
 * | channels | guint | 1 to 2 | coded channels |
 * | frame-size | guint | 2.5 to 120 ms | samples per channel in a packet, at rate |
 * | bitrate | guint | 500 to 512000 | bit/s |
 * | complexity | guint | 0 to 10 | encoder effort |
 * | vbr | gboolean | | variable bitrate |
 * | signal | gint | -1000, 3001, 3002 | automatic, voice, music |
 * | bandwidth | guint | 1101 to 1105 | maximum audio bandwidth: 4, 6, 8, 12, 20 kHz |
 * | dtx | gboolean | | discontinuous transmission |
 * | packet-loss-percentage | guint | 0 to 100 | expected loss; not part of an OpusConfig |
 * | withdrawn | gboolean | | TRUE withdraws all requests: the encoder returns to its own settings |
 *
 * Fields of events take precedence over the properties until an event with withdrawn=TRUE arrives. A
 * field that the event does not name keeps the value of earlier requests. One that nothing names is absent from
 * the request in the side channel; in an OpusConfig it has the value that the received stream
 * shows. An OpusConfig waits until the stream shows the values that it needs: rate,
 * channels and frame-size with the first packet, the others after five packets of the same size (a
 * constant bitrate), or after a second of a stream with a variable bitrate; without a stream, for a
 * second. Complexity, signal and bandwidth cannot be determined from a stream: they are taken from the
 * JetKVM quality with the nearest bitrate. An event with an unknown field, a wrong type or a value out
 * of range is refused: the result is FALSE, a warning names the field, and nothing is sent.
 *
 * ## Statistics
 *
 * The property stats is a structure application/x-jkvm-ipcsrc-stats with these fields. While buffers
 * flow, it is also logged (INFO) and posted as an element message every stats-interval. Counters never
 * decrease while the element is in PAUSED or PLAYING, and remain readable afterwards. A frame is
 * counted under at most one of the dropped-... reasons.
 *
 * | field | type | meaning |
 * |---|---|---|
 * | connected | gboolean | whether a peer is connected |
 * | connects | guint64 | connections made |
 * | dialect | gchararray | dialect of the peer: v1, v2, v3; empty until it is known. A peer is taken for v1 until it sends a message that only v2 has |
 * | frames | guint64 | Opus frames received |
 * | bytes | guint64 | Opus data in these frames |
 * | dropped | guint64 | frames that were not pushed: the sum of the next three |
 * | dropped-invalid | guint64 | frames that are not an Opus packet |
 * | dropped-early | guint64 | frames captured before running time 0 |
 * | dropped-late | guint64 | frames captured more than 40 ms before the end of a GAP event, or 1 s before the end of the last buffer |
 * | lost | guint64 | missing frames, calculated from the gaps between timestamps; pauses of the sender do not count |
 * | muted | guint64 | frames replaced by silence because of mute |
 * | implausible-timestamps | guint64 | frames whose capture time was more than 1 s in the future or 10 s in the past; their arrival was used |
 * | drift-ppm | gdouble | how much faster the sender's sample clock (packet durations) runs than its capture times, averaged over up to 64 s (ppm) |
 * | protocol-errors | guint64 | connections closed for a protocol violation |
 * | rejects | guint64 | clients turned away, if this element listens |
 * | requests-unsupported | guint64 | encoder requests that could not be sent to the peer in full; each counts once for each connection |
 * | source | GstStructure | state of the source, with the fields of the message jkvm-source; absent unless the connected sender reports it |
 * | latency-current, latency-average, latency-min, latency-max | guint64 | from the capture of a frame's first sample to its arrival (ns) |
 * | latency-jitter | guint64 | mean absolute deviation of the last 100 latencies from the average (ns) |
 * | latency-p50, latency-p95, latency-p99 | guint64 | quantiles over about two minutes (ns) |
 * | latency-samples | guint64 | number of latencies measured |
 * | latency-trend | gchararray | trend of the last 10 latencies: stable, increasing, decreasing, volatile |
 * | latency-buckets | GstValueArray of guint64 | histogram: number of frames with a latency of at most 0.1, 0.5, 1, 2.5, 5, 10, 20, 25, 30, 40, 50, 75, 100, 200, 500, 1000, 2500 ms, or more; each frame is counted once |
 * | latency-sum | guint64 | sum of the latencies in latency-buckets (ns) |
 * | send-buffer, receive-buffer | gint | size of the connection's socket buffers as granted by the kernel (bytes) |
 * | receive-waiting | gint | data that was unread in the socket at the last read (bytes) |
 * | receive-buffer-utilization | gdouble | the same as a share of receive-buffer (%) |
 * | pool-size, pool-bound | guint64 | buffers in the packet pool, and their maximum number |
 * | pool-outstanding | guint64 | buffers of the pool in use downstream |
 * | scheduling | gchararray | what `priority` was granted: normal, nice, fifo |
 * | pool-hits, pool-misses | guint64 | buffers taken from the pool, and buffers allocated because none was free |
 * | pool-allocations | guint64 | buffers allocated so far, including the initial ones |
 * | pool-hit-percent | gdouble | share of the hits (%) |
 *
 * The same under the names used by JetKVM:
 *
 * | field | type | meaning |
 * |---|---|---|
 * | frames-received, client_total_frames | guint64 | frames |
 * | frames-dropped, dropped_frames, client_dropped_frames | guint64 | dropped |
 * | processed_frames | guint64 | frames pushed: frames minus dropped |
 * | drop_rate_percent | gdouble | share of dropped frames (%) |
 * | bytes-processed | guint64 | bytes |
 * | connection-drops | guint64 | connections that ended before the element was stopped |
 * | last-frame-time | guint64 | arrival of the last frame (ns since the Unix epoch) |
 * | average-latency | guint64 | latency-average |
 *
 * ## Messages
 *
 * At most one message with the same name and reason is posted per second. Messages that were not posted
 * are counted in the field suppressed (guint) of the next one.
 *
 * jkvm-link is posted when the state of the connection changes. Its fields are reason (connected,
 * unreachable, closed, violation, too-many, replaced, forbidden), socket-path and detail. An element that
 * connects posts too-many, replaced and forbidden if the server sends them as the reason for turning it
 * away. It posts forbidden also if this process has no permission to connect to the socket, and for a
 * server whose user is not in allowed-uids; unreachable means that no server listens. An element that
 * listens posts replaced and forbidden for a client that it turns away.
 *
 * jkvm-latency is posted when the average latency (latency-average in the statistics) crosses
 * latency-warning or latency-critical. Its fields are reason (normal, high, critical), current, average,
 * p95 (guint64, ns) and trend (as latency-trend). The reason becomes lower when the average is below 80 %
 * of the threshold, and a second after the last change at the earliest.
 *
 * jkvm-source describes the source of the sender's audio, if the sender is a jkvmipcsink. It is posted with each
 * connection, and within 100 ms of each change while this element is not blocked by downstream. A field that the
 * sender does not know is absent; listeners is always known, the others are those of jkvmaudiosrc:
 *
 * | field | type | meaning |
 * |---|---|---|
 * | device-state, reason | gchararray | state of the capture device and why no device works, as in jkvmaudiosrc's statistics device-state and device-trouble |
 * | muted | gboolean | whether the source or the sender is muted |
 * | quality, frame-size | gchararray | settings of the encoder in effect: nicks of jkvmaudiosrc's properties |
 * | bitrate, complexity, packet-loss-percentage | gint | the same: values of these properties |
 * | dtx | gboolean | the same |
 * | decided-by | gchararray | origin of these settings: properties, or request (of a receiver) |
 * | listeners | guint | clients of the sender |
 *
 * The same fields except listeners are pushed downstream as the sticky event jkvm-source, so that another
 * jkvmipcsink can report them.
 *
 * jkvm-session is posted for the clients of an element that listens. Its fields are reason, id, pid and uid. The
 * reason is started (the client sent a frame; first-frame is its running time, ns), stopped (the client sent a
 * Stop), lost (the connection ended without one) or replaced (by the client by-pid, by-uid). After a Stop the
 * next frame starts another session. The element's own change to READY, and its reconnection after a pause, end a
 * session without a message.
 *
 * ## Signals
 *
 * | signal | when |
 * |---|---|
 * | client-connecting (gint pid, guint uid) -> gboolean | a client of an allowed user connects, if this element listens; return FALSE to turn it away. Emitted from the streaming thread |
 *
 * Since: 0.1
 */
// clang-format on
#include "gstjkvmipcsrc.h"

#include "client_connecting.h"
#include "common/codec_caps.h"
#include "common/element_type.h"
#include "common/encoder_request.h"
#include "common/gst_ref.h"
#include "common/open_in_ready.h"
#include "common/pause_event.h"
#include "ipc_src.h"

GST_DEBUG_CATEGORY(jkvm_ipc_src_debug);

using jkvm::IpcSrc;
using jkvm::open_in_ready;

struct _GstJkvmIpcSrc {
    GstPushSrc parent;
};

JKVM_DEFINE_ELEMENT(GstJkvmIpcSrc, gst_jkvm_ipc_src, GST_TYPE_PUSH_SRC, IpcSrc)

static void set_source_functions(GstJkvmIpcSrcClass *klass)
{
    auto *src_class = GST_BASE_SRC_CLASS(klass);
    src_class->unlock = [](GstBaseSrc *self) noexcept -> gboolean {
        impl(self).unlock();
        return TRUE;
    };
    src_class->unlock_stop = [](GstBaseSrc *self) noexcept -> gboolean {
        impl(self).unlock_stop();
        return TRUE;
    };
    src_class->negotiate = [](GstBaseSrc *self) noexcept -> gboolean {
        return impl(self).set_caps();
    };
    src_class->event = [](GstBaseSrc *self, GstEvent *event) noexcept -> gboolean {
        if (jkvm::is_encoder_request(event))
            return impl(self).handle_encoder_request(event);
        return GST_BASE_SRC_CLASS(gst_jkvm_ipc_src_parent_class)->event(self, event);
    };
    src_class->query = [](GstBaseSrc *self, GstQuery *query) noexcept -> gboolean {
        if (GST_QUERY_TYPE(query) == GST_QUERY_LATENCY)
            return impl(self).answer_latency(query);
        return GST_BASE_SRC_CLASS(gst_jkvm_ipc_src_parent_class)->query(self, query);
    };
    GST_PUSH_SRC_CLASS(klass)->create = [](GstPushSrc *self, GstBuffer **buffer) noexcept {
        return impl(self).create(buffer);
    };
}

static void gst_jkvm_ipc_src_configure_class(GstJkvmIpcSrcClass *klass)
{
    GST_DEBUG_CATEGORY_INIT(jkvm_ipc_src_debug, "jkvmipcsrc", 0, "JetKVM audio socket source");

    auto *object_class = G_OBJECT_CLASS(klass);

    jkvm::ipc_src_properties().install(object_class);
    IpcSrc::live_properties().install(object_class);
    /**
     * GstJkvmIpcSrc::client-connecting:
     * @pid: process id of the client (gint)
     * @uid: user id of the client (guint)
     *
     * A client of an allowed user connects. Emitted from the streaming thread.
     *
     * Returns: FALSE to turn the client away.
     *
     * Since: 0.1
     */
    IpcSrc::client_connecting_signal = jkvm::install_client_connecting(object_class);

    auto *element_class = GST_ELEMENT_CLASS(klass);
    static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE(
        "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(JKVM_STREAM_CAPS));
    gst_element_class_add_static_pad_template(element_class, &src_template);
    gst_element_class_set_static_metadata(
        element_class, "JetKVM audio socket source", "Source/Audio/Network",
        "Receives Opus frames from a JetKVM audio socket", "the jkvm developers");

    // GstBaseSrc refuses custom upstream events that are sent to the element.
    element_class->send_event = [](GstElement *self, GstEvent *event) noexcept -> gboolean {
        impl(self).on_send_event(event);
        if (const auto pause = jkvm::parse_pause(event)) {
            gst_event_unref(event);
            impl(self).announce_pause(*pause);
            return TRUE;
        }
        if (!jkvm::is_encoder_request(event))
            return GST_ELEMENT_CLASS(gst_jkvm_ipc_src_parent_class)->send_event(self, event);
        const auto owned = jkvm::GstRef<GstEvent>::adopt(event);
        return impl(self).handle_encoder_request(event);
    };
    element_class->change_state = [](GstElement *self, GstStateChange transition) noexcept {
        return open_in_ready(impl(self), gst_jkvm_ipc_src_parent_class, self, transition);
    };
    element_class->post_message = [](GstElement *self, GstMessage *message) noexcept -> gboolean {
        impl(self).on_message(message);
        return GST_ELEMENT_CLASS(gst_jkvm_ipc_src_parent_class)->post_message(self, message);
    };
    set_source_functions(klass);
}
