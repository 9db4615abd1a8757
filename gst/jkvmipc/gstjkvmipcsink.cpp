// SPDX-License-Identifier: LGPL-2.1-or-later
// clang-format off
/**
 * SECTION:element-jkvmipcsink
 * @title: jkvmipcsink
 * @short_description: serves Opus frames on a JetKVM audio socket
 *
 * Listens on a Unix socket and sends every Opus packet it gets, as one message of the JetKVM audio
 * protocol, to each client that is connected. With direction=microphone, or mode=connect, it connects
 * to a server instead, and does so again whenever that is gone.
 *
 * It never waits for a client. What a client does not read waits for it, up to max-queue-time, the
 * first 100 ms (or half, if that is more) in the kernel. Beyond that the client loses frames, alone,
 * and the loss is counted: of those that wait here the oldest makes room. One that loses 50 frames in a row, or takes
 * nothing for 2 s, is disconnected. A new client starts with the next frame. Each frame bears the
 * capture time of its first sample on the system's wall clock, taken from the buffer's timestamp.
 *
 * The socket path is guarded by a lock on PATH.lock. A stale socket of a server that died is taken
 * over; a live server's is not, and a file that is not a socket is left alone.
 *
 * A jkvm:// URI says all of it in one string: jkvm:///tmp/a.sock?direction=microphone&mode=listen, or
 * jkvm:///@NAME for an abstract socket; any property that may be set in READY can be a parameter.
 *
 * |[
 * gst-launch-1.0 jkvmaudiosrc device=hw:0,0 ! jkvmipcsink socket-path=/tmp/a.sock
 * gst-launch-1.0 audiotestsrc is-live=true ! opusenc ! jkvmipcsink socket-path=/tmp/a.sock
 * ]|
 *
 * What a client asks of the encoder (OpusConfig; dialect v2 and v3 have it) goes upstream as the event
 * jkvm-encoder-request: the least bitrate and complexity and the longest frame that any of them asks
 * for. It counts until the client withdraws it (Config) or goes; when the last one did, the event has
 * withdrawn=TRUE.
 *
 * ## Statistics
 *
 * The structure application/x-jkvm-ipcsink-stats in the property stats has these fields; once in
 * stats-interval it is logged (INFO) and posted as an element message too, with a frame. Counters only
 * grow while the element is in PAUSED or PLAYING, and stay readable after.
 *
 * | field | type | meaning |
 * |---|---|---|
 * | frames | guint64 | frames received from upstream and offered to the clients |
 * | bytes | guint64 | of Opus in these frames |
 * | unheard | guint64 | frames that came while no client was connected |
 * | dropped | guint64 | the sum of the next four |
 * | dropped-queue-full | guint64 | frames that a client did not get because more than max-queue-time waited for it, over all clients |
 * | dropped-disconnected | guint64 | frames that still waited for a client when its connection ended, over all clients |
 * | dropped-invalid | guint64 | buffers that are no Opus packet, sent to nobody |
 * | dropped-too-large | guint64 | packets that are too large for a message of the dialect, sent to nobody |
 * | connects | guint64 | connections made |
 * | rejects | guint64 | clients turned away: too many, or not allowed |
 * | protocol-errors | guint64 | clients disconnected for what they sent |
 * | slow-clients | guint64 | clients disconnected for being too slow: they lost 50 frames in a row or took nothing for 2 s |
 * | latency-current, -average, -min, -max, -p50, -p95, -p99 | guint64 | from the capture of a frame's first sample to this element, ns; the quantiles over about two minutes |
 * | latency-jitter | guint64 | mean distance of the last 100 latencies from the average, ns |
 * | latency-samples | guint64 | frames that the latencies are of |
 * | latency-trend | gchararray | where the last 10 latencies go: stable, increasing, decreasing, volatile |
 * | latency-buckets | GstValueArray of guint64 | how many frames took at most 0.1, 0.5, 1, 2.5, 5, 10, 20, 25, 30, 40, 50, 75, 100, 200, 500, 1000, 2500 ms, or longer, each counted in one place |
 * | latency-sum | guint64 | of the latencies in latency-buckets, ns |
 * | delivery-buckets, delivery-sum | as above | from the capture to the kernel, each frame once for each client that got it |
 * | send-buffer, receive-buffer | gint | of a client's socket, bytes, as the kernel counts; the largest |
 * | send-waiting | gint | what a client has not read yet, bytes as the kernel counts; the most |
 * | send-buffer-utilization | gdouble | the same, percent of that client's send-buffer |
 * | clients | GstValueArray of GstStructure | those connected now: id, pid, uid; frames, bytes, dropped (as above); queued-frames (guint): what waits for it here; queued-time (ns): sound that it has not read, here and in the kernel; max-queued-time (ns): the most of that which was seen, with a look at the kernel before what it holds can be too much; latency-current ... latency-trend: from capture to the kernel; send-buffer, receive-buffer, send-waiting (as above) |
 *
 * The same under the names that JetKVM's users know:
 *
 * | field | type | meaning |
 * |---|---|---|
 * | frames-received | guint64 | frames and those dropped as invalid or too large |
 * | processed_frames | guint64 | frames |
 * | frames-dropped, dropped_frames | guint64 | dropped |
 * | drop_rate_percent | gdouble | dropped, of frames and dropped |
 * | bytes-processed | guint64 | bytes |
 * | connection-drops | guint64 | connections that ended before the element was stopped |
 * | last-frame-time | guint64 | when the last frame came, ns since the Unix epoch |
 * | average-latency | guint64 | latency-average |
 * | avg_processing_time_ns | guint64 | how long handing a frame to all clients takes |
 * | batch_size | guint | frames that are handed over together: they go one by one |
 * | channel_buffer_size, channel_current_size | guint | frames that may wait for a client, and the most that wait |
 * | connected | gboolean | whether there is a client |
 *
 * ## Messages
 *
 * At most one message with the same name and reason is posted a second; the next one says in its
 * field suppressed (guint) how many were not.
 *
 * The element message jkvm-client says who comes and goes: reason (added, closed, violation, slow,
 * replaced, too-many, forbidden, ended), id, pid, uid, detail. An end that connects tells of every
 * failed try: reason (unreachable), socket-path, detail.
 *
 * This message and the signals come from a thread of the element. A handler must not change the
 * element's state there; gst_element_call_async() can.
 *
 * Since: 0.1
 */
// clang-format on
#include "gstjkvmipcsink.h"

#include "client_connecting.h"
#include "common/clocks.h"
#include "common/element_error.h"
#include "common/element_message.h"
#include "common/element_type.h"
#include "common/encoder_request.h"
#include "common/mapped_buffer.h"
#include "common/open_in_ready.h"
#include "common/stats_report.h"
#include "core/opus/packet_facts.h"
#include "ipc_sink_settings.h"
#include "ipc_sink_stats.h"

GST_DEBUG_CATEGORY_STATIC(jkvm_ipc_sink_debug);
#define GST_CAT_DEFAULT jkvm_ipc_sink_debug

namespace {

using namespace jkvm;

using namespace std::chrono_literals;

enum Signal { signal_client_connecting, signal_client_added, signal_client_removed, signal_count };
guint signals[signal_count]; // set once, by class_init

const char *nick(RemovalReason reason)
{
    switch (reason) {
    case RemovalReason::closed:
        return "closed";
    case RemovalReason::violation:
        return "violation";
    case RemovalReason::slow:
        return "slow";
    case RemovalReason::replaced:
        return "replaced";
    case RemovalReason::too_many:
        return "too-many";
    case RemovalReason::forbidden:
        return "forbidden";
    case RemovalReason::ended:
        return "ended";
    }
    return "";
}

class IpcSink final : public FrameSender::Observer {
public:
    explicit IpcSink(GstJkvmIpcSink *element)
        : element_(GST_ELEMENT(element)), sink_(GST_BASE_SINK(element)),
          clients_(element_, "jkvm-client"), report_(element_, GST_CAT_DEFAULT)
    {
        // It never holds up a pipeline: no clock to wait for, no preroll.
        gst_base_sink_set_sync(sink_, FALSE);
        gst_base_sink_set_async_enabled(sink_, FALSE);
        // There is no use for the last packet, and whose pool it is from can use it.
        gst_base_sink_set_last_sample_enabled(sink_, FALSE);
    }

    /// The read-only properties.
    static const PropertyTable<IpcSink> &live_properties();
    void set_property(guint id, const GValue *value, GParamSpec *spec);
    void get_property(guint id, GValue *value, GParamSpec *spec);
    bool open();
    void close();
    bool set_caps(const GstCaps *caps);
    GstFlowReturn render(GstBuffer *buffer);

    bool may_connect(const PeerInfo &peer) override;
    void on_peer_added(const PeerInfo &peer) override;
    void on_peer_removed(const PeerInfo &peer, RemovalReason reason,
                         const std::string &detail) override;
    void on_peer_unreachable(const Error &error) override;
    void on_encoder_request(const std::optional<wire::EncoderConfig> &config) override;

private:
    struct Session {
        std::unique_ptr<FrameSender> sender; // from READY to PAUSED and back
        FrameSender::Stats last;             // of the sender before
        guint64 dropped_invalid = 0;
        guint64 dropped_too_large = 0;
        std::size_t max_packet = 0; // that the dialect can carry, bytes
        nanoseconds max_queue_time{0};
        nanoseconds frame_duration{0}; // of the last frame
    };

    void send(GstBuffer *buffer, std::span<const std::byte> packet);
    WallTime capture_time(GstBuffer *buffer, nanoseconds duration) const;
    GstStructure *stats() const;
    void post_stats_when_due();

    GstElement *element_;
    GstBaseSink *sink_;
    ElementMessages clients_;
    StatsReport report_;
    Guarded<IpcSinkSettings> settings_;
    Guarded<Session> session_; // taken before the sender's own lock
};

} // namespace

struct _GstJkvmIpcSink {
    GstBaseSink parent;
};

JKVM_DEFINE_ELEMENT(GstJkvmIpcSink, gst_jkvm_ipc_sink, GST_TYPE_BASE_SINK, IpcSink)

static void gst_jkvm_ipc_sink_configure_class(GstJkvmIpcSinkClass *klass)
{
    GST_DEBUG_CATEGORY_INIT(jkvm_ipc_sink_debug, "jkvmipcsink", 0, "JetKVM audio socket server");

    auto *object_class = G_OBJECT_CLASS(klass);

    ipc_sink_properties().install(object_class);
    IpcSink::live_properties().install(object_class);
    /**
     * GstJkvmIpcSink::client-connecting:
     * @pid: its process id (gint)
     * @uid: its user id (guint)
     *
     * A client of an allowed user connects. Emitted from the element's service thread.
     *
     * Returns: FALSE to turn the client away.
     *
     * Since: 0.1
     */
    signals[signal_client_connecting] = install_client_connecting(object_class);
    /**
     * GstJkvmIpcSink::client-added:
     * @id: of the client, as in the statistics (guint64)
     * @pid: its process id (gint)
     * @uid: its user id (guint)
     *
     * A client has been connected. Emitted from the element's service thread.
     *
     * Since: 0.1
     */
    signals[signal_client_added] =
        g_signal_new("client-added", G_TYPE_FROM_CLASS(klass), G_SIGNAL_RUN_LAST, 0, nullptr,
                     nullptr, nullptr, G_TYPE_NONE, 3, G_TYPE_UINT64, G_TYPE_INT, G_TYPE_UINT);
    /**
     * GstJkvmIpcSink::client-removed:
     * @id: of the client (guint64)
     * @reason: the nick of the reason, as in the message jkvm-client (utf8)
     *
     * A client has been disconnected, or was turned away. Emitted from the element's service
     * thread.
     *
     * Since: 0.1
     */
    signals[signal_client_removed] =
        g_signal_new("client-removed", G_TYPE_FROM_CLASS(klass), G_SIGNAL_RUN_LAST, 0, nullptr,
                     nullptr, nullptr, G_TYPE_NONE, 2, G_TYPE_UINT64, G_TYPE_STRING);

    auto *element_class = GST_ELEMENT_CLASS(klass);
    static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE(
        "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(JKVM_OPUS_CAPS));
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
    sink_class->render = [](GstBaseSink *self, GstBuffer *buffer) noexcept {
        return impl(self).render(buffer);
    };
}

namespace {

const PropertyTable<IpcSink> &IpcSink::live_properties()
{
    static const PropertyTable<IpcSink> table{
        computed<IpcSink>("stats", "Statistics", "Counters, and the clients connected now",
                          AnyValue{}, &IpcSink::stats),
    };
    return table;
}

void IpcSink::set_property(guint id, const GValue *value, GParamSpec *spec)
{
    if (!ipc_sink_properties().set(*settings_.lock(), value, spec))
        G_OBJECT_WARN_INVALID_PROPERTY_ID(element_, id, spec);
}

void IpcSink::get_property(guint id, GValue *value, GParamSpec *spec)
{
    if (!live_properties().get(*this, value, spec) &&
        !ipc_sink_properties().get(*settings_.lock(), value, spec))
        G_OBJECT_WARN_INVALID_PROPERTY_ID(element_, id, spec);
}

bool IpcSink::open()
{
    const auto settings = settings_.snapshot();
    auto endpoint = settings.ipc.endpoint();
    if (!endpoint) {
        post_error(element_, endpoint.error());
        return false;
    }
    const auto dialect = settings.ipc.spoken_dialect().value_or(wire::Dialect::v1);
    auto sender = FrameSender::start({.endpoint = *endpoint,
                                      .dialect = dialect,
                                      .max_queue_time = settings.max_queue_time,
                                      .hold_time = settings.hold_time,
                                      .max_clients = settings.max_clients,
                                      .policy = settings.policy,
                                      .pauses = {.seed = g_random_int()}},
                                     *this);
    if (!sender) {
        post_error(element_, sender.error());
        return false;
    }
    GST_INFO_OBJECT(element_, "%s %s",
                    endpoint->role == Role::listen ? "serving at" : "connecting to",
                    endpoint->path.c_str());
    auto session = session_.lock();
    session->last = {};
    session->dropped_invalid = session->dropped_too_large = 0;
    session->max_packet = wire::traits(dialect).max_payload;
    session->max_queue_time = settings.max_queue_time;
    session->sender = std::move(*sender);
    return true;
}

void IpcSink::close()
{
    std::unique_ptr<FrameSender> sender;
    {
        auto session = session_.lock();
        session->last = session->sender->stats();
        session->last.peers.clear();
        sender = std::move(session->sender);
    }
    // This reports to the observer, which must not happen under the lock.
    const auto last = sender->stop();
    session_.lock()->last = last;
}

bool IpcSink::set_caps(const GstCaps *caps)
{
    wire::StreamConfig stream;
    const auto *structure = gst_caps_get_structure(caps, 0);
    gint rate = 0;
    gint channels = 0;
    if (gst_structure_get_int(structure, "rate", &rate))
        stream.sample_rate = static_cast<std::uint32_t>(rate);
    if (gst_structure_get_int(structure, "channels", &channels))
        stream.channels = static_cast<std::uint32_t>(channels);
    stream.frame_size = stream.sample_rate / 50; // the protocol's usual 20 ms
    session_.lock()->sender->set_stream(stream);
    return true;
}

GstFlowReturn IpcSink::render(GstBuffer *buffer)
{
    // Stream headers are in the caps; on the wire there is none.
    if (GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_HEADER))
        return GST_FLOW_OK;
    const MappedBuffer map(buffer, GST_MAP_READ);
    if (!map) {
        post_error(element_, {ErrorKind::out_of_resources, "a buffer", "gst_buffer_map failed"});
        return GST_FLOW_ERROR;
    }
    send(buffer, map.bytes());
    post_stats_when_due();
    return GST_FLOW_OK;
}

void IpcSink::send(GstBuffer *buffer, std::span<const std::byte> packet)
{
    const auto facts = packet_facts(Codec::opus, packet);
    auto session = session_.lock();
    if (!facts || packet.size() > session->max_packet) {
        ++(facts ? session->dropped_too_large : session->dropped_invalid);
        GST_WARNING_OBJECT(element_, "dropped a buffer of %zu bytes: %s", packet.size(),
                           facts ? "too large for a message" : "no Opus packet");
        return;
    }
    session->frame_duration = facts->duration;
    session->sender->send(packet, capture_time(buffer, facts->duration), facts->duration);
}

/// Of the buffer's first sample. A buffer without a timestamp is taken to end now.
WallTime IpcSink::capture_time(GstBuffer *buffer, nanoseconds duration) const
{
    const auto &segment = sink_->segment;
    if (segment.format != GST_FORMAT_TIME || !GST_BUFFER_PTS_IS_VALID(buffer))
        return wall_now() - duration;
    const guint64 running =
        gst_segment_to_running_time(&segment, GST_FORMAT_TIME, GST_BUFFER_PTS(buffer));
    if (!GST_CLOCK_TIME_IS_VALID(running))
        return wall_now() - duration;
    return read_clocks(element_).wall_of(nanoseconds(running));
}

GstStructure *IpcSink::stats() const
{
    IpcSinkStats stats;
    {
        const auto session = session_.lock();
        stats.sender = session->sender ? session->sender->stats() : session->last;
        stats.dropped_invalid = session->dropped_invalid;
        stats.dropped_too_large = session->dropped_too_large;
        if (session->frame_duration > 0ns)
            stats.queue_capacity =
                static_cast<guint>(session->max_queue_time / session->frame_duration);
    }
    return make_structure(stats);
}

void IpcSink::post_stats_when_due()
{
    const auto interval = settings_.lock()->ipc.report_interval;
    if (report_.is_due(interval, monotonic_now()))
        report_.post(stats());
}

bool IpcSink::may_connect(const PeerInfo &peer)
{
    return is_client_welcome(element_, signals[signal_client_connecting], peer);
}

void IpcSink::on_encoder_request(const std::optional<wire::EncoderConfig> &config)
{
    if (config)
        GST_INFO_OBJECT(element_, "clients ask for %u bit/s, complexity %u", config->bitrate,
                        config->complexity);
    else
        GST_INFO_OBJECT(element_, "no client asks for anything of the encoder");
    gst_pad_push_event(GST_BASE_SINK_PAD(sink_),
                       config ? make_encoder_request(*config) : make_encoder_withdrawal({}));
}

void IpcSink::on_peer_added(const PeerInfo &peer)
{
    GST_INFO_OBJECT(element_, "client %" G_GUINT64_FORMAT " added: pid %d, uid %u", peer.id,
                    peer.pid, peer.uid);
    clients_.post("added", describe(peer));
    g_signal_emit(element_, signals[signal_client_added], 0, peer.id, static_cast<gint>(peer.pid),
                  static_cast<guint>(peer.uid));
}

void IpcSink::on_peer_removed(const PeerInfo &peer, RemovalReason reason, const std::string &detail)
{
    GST_INFO_OBJECT(element_, "client %" G_GUINT64_FORMAT " removed: %s %s", peer.id, nick(reason),
                    detail.c_str());
    clients_.post(nick(reason), describe(peer).set("detail", detail));
    g_signal_emit(element_, signals[signal_client_removed], 0, peer.id, nick(reason));
}

void IpcSink::on_peer_unreachable(const Error &error)
{
    GST_DEBUG_OBJECT(element_, "%s", error.detail.c_str());
    clients_.post("unreachable",
                  Fields().set("socket-path", error.subject).set("detail", error.detail));
}

} // namespace
