// SPDX-License-Identifier: LGPL-2.1-or-later
// clang-format off
/**
 * SECTION:element-jkvmipcsrc
 * @title: jkvmipcsrc
 * @short_description: receives Opus frames from a JetKVM audio socket
 *
 * Connects to the Unix socket of a server that speaks the JetKVM audio protocol (jkvmipcsink, or
 * the capture process of a JetKVM) and pushes every Opus packet it receives. It may be started
 * before the server, and by default connects again whenever the server goes away, with pauses of
 * 50 ms to 2 s. With direction=microphone, or mode=listen, it listens instead and serves the newest
 * client, as JetKVM's playback process does.
 *
 * A buffer's timestamp is the capture time that the server sent, on this pipeline's clock (with
 * timestamp-mode=arrival: the time of its arrival less its duration), and each buffer follows the last
 * one by exactly one packet duration. Only a difference beyond 40 ms is taken for a hole. A hole is a
 * GAP event, and the buffer behind it is marked DISCONT; while there is no server, GAP events follow
 * every 100 ms, so that decoders with plc=true, mixers and muxers go on.
 *
 * Each buffer carries the sender's capture time as a GstReferenceTimestampMeta (timestamp/x-unix). A
 * Config message before the first buffer sets the caps, which stay: an Opus decoder makes the channels
 * that it was set up for from any packet, but muxers end a stream whose caps change. A Stop makes the
 * next buffer DISCONT, and the upstream event jkvm-encoder-request is sent on as an OpusConfig where
 * the dialect has that, and again on each new connection, until an event with withdrawn=TRUE comes;
 * that is sent on as a Config. A v2 server must be named (dialect=v2): it is not recognised by its
 * frames. With heartbeat-interval, a peer from which nothing came for three intervals is
 * given up.
 *
 * A jkvm:// URI says all of it in one string: jkvm:///tmp/a.sock?direction=microphone&mode=listen, or
 * jkvm:///@NAME for an abstract socket; any property that may be set in READY can be a parameter.
 *
 * |[
 * gst-launch-1.0 jkvmipcsrc socket-path=/tmp/a.sock ! jkvmadaptivequeue ! opusdec plc=true ! audioconvert ! autoaudiosink
 * gst-launch-1.0 -e jkvmipcsrc socket-path=/tmp/a.sock ! oggmux ! filesink location=a.ogg
 * ]|
 *
 * ## Statistics
 *
 * The structure application/x-jkvm-ipcsrc-stats in the property stats has these fields; once in
 * stats-interval it is logged (INFO) and posted as an element message too, with a frame. Counters only
 * grow while the element is in PAUSED or PLAYING, and stay readable after. A frame is counted under
 * one of the reasons at most.
 *
 * | field | type | meaning |
 * |---|---|---|
 * | connected | gboolean | whether a peer is connected now |
 * | connects | guint64 | connections made |
 * | dialect | gchararray | that the peer speaks: v1, v2, v3; empty as long as that is not known. A peer is taken for v1 until it sends what only v2 has |
 * | frames | guint64 | messages with an Opus frame |
 * | bytes | guint64 | of Opus in these frames |
 * | dropped | guint64 | of these frames: not pushed, the sum of the next three |
 * | dropped-invalid | guint64 | no Opus packet |
 * | dropped-early | guint64 | captured before this pipeline's time 0 |
 * | dropped-late | guint64 | captured before the end of the last buffer or GAP event by more than 40 ms |
 * | lost | guint64 | frames that are missing, as the holes between the timestamps show, but for those behind a Stop |
 * | implausible-timestamps | guint64 | frames whose capture time lay in the future or more than 10 s back; their arrival counted instead |
 * | protocol-errors | guint64 | connections given up for what the peer sent |
 * | rejects | guint64 | clients turned away, where this end listens |
 * | latency-current, latency-average, latency-min, latency-max | guint64 | from the capture of a frame's first sample to its arrival here, ns |
 * | latency-jitter | guint64 | mean distance of the last 100 latencies from the average, ns |
 * | latency-p50, latency-p95, latency-p99 | guint64 | quantiles over about two minutes, ns |
 * | latency-samples | guint64 | frames that the latencies are of |
 * | latency-trend | gchararray | where the last 10 latencies go: stable, increasing, decreasing, volatile |
 * | latency-buckets | GstValueArray of guint64 | how many frames took at most 0.1, 0.5, 1, 2.5, 5, 10, 20, 25, 30, 40, 50, 75, 100, 200, 500, 1000, 2500 ms, or longer, each counted in one place |
 * | latency-sum | guint64 | of the latencies in latency-buckets, ns |
 * | send-buffer, receive-buffer | gint | of the connection's socket, bytes, as the kernel counts |
 * | receive-waiting | gint | what waited in the socket when it was read last, bytes |
 * | receive-buffer-utilization | gdouble | the same, percent of receive-buffer |
 * | pool-size, pool-bound | guint64 | buffers in the packet pool, and their maximum number |
 * | pool-outstanding | guint64 | buffers of the pool in use downstream |
 * | pool-hits, pool-misses | guint64 | buffers taken from the pool, and buffers allocated because none was free |
 * | pool-allocations | guint64 | buffers allocated so far, including the initial ones |
 * | pool-hit-percent | gdouble | share of the hits (%) |
 *
 * The same under the names that JetKVM's users know:
 *
 * | field | type | meaning |
 * |---|---|---|
 * | frames-received, client_total_frames | guint64 | frames |
 * | frames-dropped, dropped_frames, client_dropped_frames | guint64 | dropped |
 * | processed_frames | guint64 | frames less dropped: those pushed |
 * | drop_rate_percent | gdouble | dropped, of those pushed and those dropped |
 * | bytes-processed | guint64 | bytes |
 * | connection-drops | guint64 | connections that ended before the element was stopped |
 * | last-frame-time | guint64 | when the last frame arrived, ns since the Unix epoch |
 * | average-latency | guint64 | latency-average |
 *
 * ## Messages
 *
 * At most one message with the same name and reason is posted a second; the next one says in its
 * field suppressed (guint) how many were not.
 *
 * The element message jkvm-link says what becomes of the connection: reason (connected,
 * unreachable, closed, violation, forbidden), socket-path, detail.
 *
 * ## Signals
 *
 * | signal | when |
 * |---|---|
 * | client-connecting (gint pid, guint uid) -> gboolean | where this end listens: somebody comes whose user may; FALSE turns it away. From the streaming thread |
 *
 * Since: 0.1
 */
// clang-format on
#include "gstjkvmipcsrc.h"

#include "capture_time_meta.h"
#include "client_connecting.h"
#include "common/clocks.h"
#include "common/element_error.h"
#include "common/element_message.h"
#include "common/element_type.h"
#include "common/encoder_request.h"
#include "common/open_in_ready.h"
#include "common/opus_caps.h"
#include "common/packet_pool.h"
#include "common/stats_report.h"
#include "core/base/guarded.h"
#include "core/ipc/receive/frame_receiver.h"
#include "core/ipc/receive/received_stream.h"
#include "ipc_src_settings.h"
#include "ipc_src_stats.h"

#include <atomic>
#include <memory>

GST_DEBUG_CATEGORY_STATIC(jkvm_ipc_src_debug);
#define GST_CAT_DEFAULT jkvm_ipc_src_debug

namespace {

using namespace jkvm;
using namespace std::chrono_literals;

guint signal_client_connecting; // set once, by class_init

// What waits for this element while downstream holds it up: the max-queue-time of jkvmipcsink.
constexpr nanoseconds socket_depth = default_max_queue_time;
// How often a pipeline without a peer is told that nothing comes.
constexpr auto gap_interval = 100ms;
// So long a new peer may take for its first frame, which could be older than the last gap.
constexpr auto first_frame_time = 1s;
// Size of the largest Opus packet with one frame (bytes). Packets of several frames may be larger;
// they are rare, so pooled buffers of that size would waste memory.
constexpr std::size_t largest_pooled_packet = 1275;

Fields describe(const Error &error)
{
    return std::move(Fields().set("socket-path", error.subject).set("detail", error.detail));
}

class IpcSrc {
public:
    explicit IpcSrc(GstJkvmIpcSrc *element)
        : element_(GST_ELEMENT(element)), src_(GST_BASE_SRC(element)), link_(element_, "jkvm-link"),
          report_(element_, GST_CAT_DEFAULT)
    {
        gst_base_src_set_live(src_, TRUE);
        gst_base_src_set_format(src_, GST_FORMAT_TIME);
    }

    /// The read-only properties.
    static const PropertyTable<IpcSrc> &live_properties();
    void set_property(guint id, const GValue *value, GParamSpec *spec);
    void get_property(guint id, GValue *value, GParamSpec *spec);
    bool open();
    void close();
    void unlock() { control_.interrupt(); }
    void unlock_stop()
    {
        was_unlocked_ = true;
        control_.resume();
    }
    /// What the server sent while the pipeline was paused is old.
    void restart() { control_.request_restart(); }
    bool set_caps();
    bool handle_event(GstEvent *event);
    GstFlowReturn create(GstBuffer **buffer);
    bool answer_latency(GstQuery *query) const;

private:
    // From READY to PAUSED and back; used by the streaming thread in between.
    struct Session {
        std::unique_ptr<FrameReceiver> receiver;
        PacketPool pool;
        CaptureTimeMeta capture_time;
        std::string path;
        bool has_pushed = false;         // a buffer: the caps stay as they are
        bool is_server_expected = false; // after a pause
        MonotonicTime next_gap{};
    };

    // Only the streaming thread changes it; its statistics are also looked at by others, also after
    // the session.
    struct Received {
        ReceivedStream stream;
        IpcSrcStats rest; ///< but for stream
    };

    void on_connected();
    /// GST_FLOW_OK to go on.
    GstFlowReturn on_disconnected();
    /// Nothing when the message is not to be pushed.
    GstRef<GstBuffer> take_message();
    GstRef<GstBuffer> make_buffer(const ReceivedStream::Frame &frame);
    bool has_segment() const;
    void push_gap(const Gap &gap);
    void push_gap_when_due();
    void update_latency(nanoseconds latency);
    void post_stats_when_due();
    GstStructure *stats() const;

    GstElement *element_;
    GstBaseSrc *src_;
    ElementMessages link_;
    Guarded<IpcSrcSettings> settings_;
    Guarded<Received> received_;
    StatsReport report_;
    std::atomic<GstClockTime> latency_{0};
    std::atomic<bool> was_unlocked_ = false; // by a flush, or a pause
    ReceiverControl control_;
    std::optional<Session> session_;
};

} // namespace

struct _GstJkvmIpcSrc {
    GstPushSrc parent;
};

JKVM_DEFINE_ELEMENT(GstJkvmIpcSrc, gst_jkvm_ipc_src, GST_TYPE_PUSH_SRC, IpcSrc)

static void gst_jkvm_ipc_src_configure_class(GstJkvmIpcSrcClass *klass)
{
    GST_DEBUG_CATEGORY_INIT(jkvm_ipc_src_debug, "jkvmipcsrc", 0, "JetKVM audio socket client");

    auto *object_class = G_OBJECT_CLASS(klass);

    ipc_src_properties().install(object_class);
    IpcSrc::live_properties().install(object_class);
    /**
     * GstJkvmIpcSrc::client-connecting:
     * @pid: its process id (gint)
     * @uid: its user id (guint)
     *
     * Returns: FALSE to turn the client away. Emitted from the streaming thread.
     *
     * Since: 0.1
     */
    signal_client_connecting = install_client_connecting(object_class);

    auto *element_class = GST_ELEMENT_CLASS(klass);
    static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE(
        "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(JKVM_OPUS_CAPS));
    gst_element_class_add_static_pad_template(element_class, &src_template);
    gst_element_class_set_static_metadata(
        element_class, "JetKVM audio socket source", "Source/Audio/Network",
        "Receives Opus frames from a JetKVM audio socket", "the jkvm developers");

    element_class->change_state = [](GstElement *self, GstStateChange transition) noexcept {
        return open_in_ready(impl(self), gst_jkvm_ipc_src_parent_class, self, transition);
    };

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
        if (impl(self).handle_event(event))
            return TRUE;
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

namespace {

const PropertyTable<IpcSrc> &IpcSrc::live_properties()
{
    static const PropertyTable<IpcSrc> table{
        computed<IpcSrc>("stats", "Statistics",
                         "Counters, and latencies in nanoseconds (since 0.1)", AnyValue{},
                         &IpcSrc::stats),
    };
    return table;
}

void IpcSrc::set_property(guint id, const GValue *value, GParamSpec *spec)
{
    if (!ipc_src_properties().set(*settings_.lock(), value, spec))
        G_OBJECT_WARN_INVALID_PROPERTY_ID(element_, id, spec);
}

void IpcSrc::get_property(guint id, GValue *value, GParamSpec *spec)
{
    if (!live_properties().get(*this, value, spec) &&
        !ipc_src_properties().get(*settings_.lock(), value, spec))
        G_OBJECT_WARN_INVALID_PROPERTY_ID(element_, id, spec);
}

bool IpcSrc::open()
{
    const auto settings = settings_.snapshot();
    if (control_.fd() < 0) {
        post_error(element_, {ErrorKind::out_of_resources, "an event", "eventfd failed"});
        return false;
    }
    auto endpoint = settings.ipc.endpoint();
    if (!endpoint) {
        post_error(element_, endpoint.error());
        return false;
    }
    auto path = endpoint->path;
    auto receiver = FrameReceiver::open({.endpoint = std::move(*endpoint),
                                         .dialect = settings.ipc.spoken_dialect(),
                                         .heartbeat_interval = settings.heartbeat_interval,
                                         .seed = g_random_int(),
                                         .may_connect =
                                             [this](const PeerInfo &client) {
                                                 return is_client_welcome(
                                                     element_, signal_client_connecting, client);
                                             }},
                                        control_);
    if (!receiver) {
        post_error(element_, receiver.error());
        return false;
    }
    session_.emplace(Session{.receiver = std::move(*receiver),
                             .pool = PacketPool(largest_pooled_packet),
                             .path = std::move(path)});
    auto received = received_.lock();
    *received = {.stream = ReceivedStream(settings.timestamp_mode)};
    latency_ = static_cast<GstClockTime>(received->stream.latency().count());
    return true;
}

void IpcSrc::close()
{
    session_.reset();
    received_.lock()->stream.end_connection(false);
}

GstFlowReturn IpcSrc::create(GstBuffer **buffer)
{
    auto &receiver = *session_->receiver;
    // A flush takes the segment away, and may set the running time back.
    if (was_unlocked_.exchange(false) && !has_segment())
        received_.lock()->stream.restart_time_line();
    for (;;) {
        const bool is_away = received_.lock()->stream.is_away();
        const auto event = receiver.wait(is_away ? session_->next_gap : MonotonicTime::max());
        auto flow = GST_FLOW_OK;
        switch (event) {
        case FrameReceiver::Event::interrupted:
            return GST_FLOW_FLUSHING;
        case FrameReceiver::Event::timed_out:
            break;
        case FrameReceiver::Event::connected:
            on_connected();
            break;
        case FrameReceiver::Event::restarted:
            received_.lock()->stream.end_connection(false);
            session_->is_server_expected = true;
            break;
        case FrameReceiver::Event::unreachable:
            // It was there before the pause: the connection has ended meanwhile.
            if (std::exchange(session_->is_server_expected, false)) {
                flow = on_disconnected();
                break;
            }
            GST_DEBUG_OBJECT(element_, "%s", receiver.error().detail.c_str());
            link_.post("unreachable", describe(receiver.error()));
            break;
        case FrameReceiver::Event::refused:
            ++received_.lock()->rest.rejects;
            GST_INFO_OBJECT(element_, "refused: %s", receiver.error().detail.c_str());
            link_.post("forbidden", describe(receiver.error()));
            break;
        case FrameReceiver::Event::disconnected:
            flow = on_disconnected();
            break;
        case FrameReceiver::Event::message:
            if (auto made = take_message()) {
                *buffer = made.release();
                return GST_FLOW_OK;
            }
            break;
        }
        if (flow != GST_FLOW_OK)
            return flow;
        push_gap_when_due();
    }
}

void IpcSrc::on_connected()
{
    {
        auto received = received_.lock();
        received->stream.begin_connection();
        received->rest.buffers = session_->receiver->buffers();
        received->rest.dialect = session_->receiver->dialect();
    }
    session_->is_server_expected = false;
    session_->next_gap = monotonic_now() + first_frame_time;
    GST_INFO_OBJECT(element_, "connected to %s", session_->path.c_str());
    link_.post("connected", Fields().set("socket-path", session_->path));
}

GstFlowReturn IpcSrc::on_disconnected()
{
    const auto error = session_->receiver->error();
    const bool is_violation = error.kind == ErrorKind::protocol_violation;
    {
        auto received = received_.lock();
        received->stream.end_connection(is_violation);
        ++received->rest.disconnects;
    }
    session_->next_gap = monotonic_now();
    GST_INFO_OBJECT(element_, "disconnected: %s", error.detail.c_str());
    link_.post(is_violation ? "violation" : "closed", describe(error));
    switch (settings_.lock()->on_disconnect) {
    case OnDisconnect::eos:
        return GST_FLOW_EOS;
    case OnDisconnect::error:
        break;
    case OnDisconnect::reconnect:
        return GST_FLOW_OK;
    }
    // With GST_FLOW_ERROR the base class would post a second error; this completes what downstream
    // writes, too.
    post_error(element_, error);
    return GST_FLOW_EOS;
}

bool IpcSrc::set_caps()
{
    const auto stream = received_.lock()->stream.config();
    const auto caps = make_opus_caps({.rate = static_cast<int>(stream.sample_rate),
                                      .channels = static_cast<int>(stream.channels)},
                                     "jkvmipcsrc");
    // Downstream may be bound to others. Then what it has is as good for any Opus packet.
    auto *pad = GST_BASE_SRC_PAD(src_);
    if (gst_pad_has_current_caps(pad) && !gst_pad_peer_query_accept_caps(pad, caps.get()))
        return true;
    return gst_base_src_set_caps(src_, caps.get());
}

/// True: it was ours.
bool IpcSrc::handle_event(GstEvent *event)
{
    const auto request = parse_encoder_request(event, {});
    if (!request)
        return false;
    if (is_withdrawal(event))
        control_.withdraw_request(*request);
    else
        control_.request_encoder(*request);
    return true;
}

GstRef<GstBuffer> IpcSrc::take_message()
{
    const auto &receiver = *session_->receiver;
    const auto now = read_clocks(element_);
    std::optional<ReceivedStream::Frame> frame;
    nanoseconds latency{0};
    bool is_session_over = false;
    {
        auto received = received_.lock();
        const bool had_stopped = received->stream.has_stopped();
        frame = received->stream.take(receiver.message(), now);
        is_session_over = received->stream.has_stopped() && !had_stopped;
        latency = received->stream.latency();
        received->rest.dialect = receiver.dialect();
        received->rest.waited = receiver.waited();
    }
    update_latency(latency);
    if (is_session_over) {
        session_->next_gap = monotonic_now() + gap_interval;
        GST_INFO_OBJECT(element_, "the sender ends the session");
    }
    if (!frame)
        return {};
    if (!std::exchange(session_->has_pushed, true))
        set_caps();
    if (frame->gap)
        push_gap(*frame->gap);
    post_stats_when_due();
    return make_buffer(*frame);
}

GstRef<GstBuffer> IpcSrc::make_buffer(const ReceivedStream::Frame &frame)
{
    auto buffer = session_->pool.acquire_copy(frame.packet);
    received_.lock()->rest.pool = session_->pool.stats();
    session_->capture_time.set(buffer.get(), frame.captured, frame.duration);
    GST_BUFFER_PTS(buffer.get()) = static_cast<GstClockTime>(frame.time.count());
    GST_BUFFER_DURATION(buffer.get()) = static_cast<GstClockTime>(frame.duration.count());
    if (frame.discontinuity) {
        GST_BUFFER_FLAG_SET(buffer.get(), GST_BUFFER_FLAG_DISCONT);
        GST_BUFFER_FLAG_SET(buffer.get(), GST_BUFFER_FLAG_RESYNC);
    }
    return buffer;
}

bool IpcSrc::has_segment() const
{
    return static_cast<bool>(GstRef<GstEvent>::adopt(
        gst_pad_get_sticky_event(GST_BASE_SRC_PAD(src_), GST_EVENT_SEGMENT, 0)));
}

void IpcSrc::push_gap(const Gap &gap)
{
    auto *pad = GST_BASE_SRC_PAD(src_);
    // The base class sends the segment with the first buffer, and no sooner. It will do that again.
    if (!has_segment())
        gst_pad_push_event(pad, gst_event_new_segment(&src_->segment));
    gst_pad_push_event(pad, gst_event_new_gap(static_cast<GstClockTime>(gap.start.count()),
                                              static_cast<GstClockTime>(gap.duration.count())));
}

void IpcSrc::push_gap_when_due()
{
    const auto now = monotonic_now();
    if (now < session_->next_gap || !received_.lock()->stream.is_away())
        return;
    session_->next_gap = now + gap_interval;
    const auto running = running_now(element_);
    const auto gap = received_.lock()->stream.announce_gap(running);
    if (gap)
        push_gap(*gap);
}

void IpcSrc::update_latency(nanoseconds latency)
{
    const auto time = static_cast<GstClockTime>(latency.count());
    if (latency_.exchange(time) == time)
        return;
    GST_INFO_OBJECT(element_, "latency is now %" GST_TIME_FORMAT, GST_TIME_ARGS(time));
    gst_element_post_message(element_, gst_message_new_latency(GST_OBJECT(element_)));
}

bool IpcSrc::answer_latency(GstQuery *query) const
{
    const GstClockTime latency = latency_;
    gst_query_set_latency(query, TRUE, latency,
                          latency + static_cast<GstClockTime>(socket_depth.count()));
    return true;
}

void IpcSrc::post_stats_when_due()
{
    const auto interval = settings_.lock()->ipc.report_interval;
    if (report_.is_due(interval, monotonic_now()))
        report_.post(stats());
}

GstStructure *IpcSrc::stats() const
{
    const auto received = received_.snapshot();
    auto stats = received.rest;
    stats.stream = received.stream.stats();
    return make_structure(stats);
}

} // namespace
