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
 * A buffer's timestamp is the capture time that the server sent, on this pipeline's clock, and each
 * buffer follows the last one by exactly one packet duration. Only a difference beyond 40 ms is
 * taken for a hole; the buffer behind it is marked DISCONT.
 *
 * Each buffer carries the sender's capture time as a GstReferenceTimestampMeta (timestamp/x-unix). A
 * Config message sets the caps, a Stop makes the next buffer DISCONT, and the upstream event
 * jkvm-encoder-request is sent on as an OpusConfig where the dialect has that.
 *
 * A jkvm:// URI says all of it in one string: jkvm:///tmp/a.sock?direction=microphone&mode=listen, or
 * jkvm:///@NAME for an abstract socket; any property that may be set in READY can be a parameter.
 *
 * |[
 * gst-launch-1.0 jkvmipcsrc socket-path=/tmp/a.sock ! opusdec plc=true ! audioconvert ! autoaudiosink
 * gst-launch-1.0 -e jkvmipcsrc socket-path=/tmp/a.sock ! oggmux ! filesink location=a.ogg
 * ]|
 *
 * ## Statistics
 *
 * The structure application/x-jkvm-ipcsrc-stats in the property stats has these fields; with
 * stats-interval it is posted as an element message too. Counters only grow while the element is in PAUSED or PLAYING, and stay readable after.
 *
 * | field | type | meaning |
 * |---|---|---|
 * | connected | gboolean | whether a server is connected now |
 * | connects | guint64 | connections made |
 * | frames | guint64 | Opus packets received |
 * | bytes | guint64 | of Opus received |
 * | lost | guint64 | frames that are missing, as the holes between the timestamps show |
 * | invalid | guint64 | frames that are no Opus packets, not pushed |
 * | implausible-timestamps | guint64 | frames whose capture time lay in the future or more than 10 s back; their arrival counted instead |
 * | protocol-errors | guint64 | connections given up for what the server sent |
 * | latency-current, latency-average, latency-min, latency-max | guint64 | from the capture of a frame's first sample to its arrival here, ns |
 *
 * ## Messages
 *
 * At most one message with the same name and reason is posted a second; the next one says in its
 * field suppressed (guint) how many were not.
 *
 * The element message jkvm-link says what becomes of the connection: reason (connected,
 * unreachable, closed, violation, forbidden), socket-path, detail.
 *
 * Since: 0.1
 */
// clang-format on
#include "gstjkvmipcsrc.h"

#include "common/clocks.h"
#include "common/element_error.h"
#include "common/element_message.h"
#include "common/element_type.h"
#include "common/encoder_request.h"
#include "common/open_in_ready.h"
#include "common/opus_caps.h"
#include "common/properties.h"
#include "core/audio/frame_stamper.h"
#include "core/base/guarded.h"
#include "core/ipc/frame_receiver.h"
#include "ipc_settings.h"

#include <atomic>
#include <memory>

GST_DEBUG_CATEGORY_STATIC(jkvm_ipc_src_debug);
#define GST_CAT_DEFAULT jkvm_ipc_src_debug

namespace {

using namespace jkvm;
using namespace std::chrono_literals;

enum Property : guint {
    property_on_disconnect = IpcSettings::own,
    property_heartbeat_interval,
    property_stats_interval,
    property_stats,
};

enum OnDisconnect { on_disconnect_reconnect, on_disconnect_eos, on_disconnect_error };

// The frame of the protocol and the look-ahead of the encoder: what is known before the first
// frame.
constexpr auto latency_before_first_frame = 26500us;
// What scheduling on a busy machine may add to the latency of a connection's first frame.
constexpr auto latency_margin = 10ms;
// What the kernel holds back for a reader that waits. Some 170 frames of 20 ms fit into the default
// socket buffer, but the other end may have set a smaller one.
constexpr auto socket_depth = 1s;

Fields describe(const Error &error)
{
    return std::move(Fields().set("socket-path", error.subject).set("detail", error.detail));
}

class IpcSrc {
public:
    explicit IpcSrc(GstJkvmIpcSrc *element)
        : element_(GST_ELEMENT(element)), src_(GST_BASE_SRC(element)), link_(element_, "jkvm-link")
    {
        gst_base_src_set_live(src_, TRUE);
        gst_base_src_set_format(src_, GST_FORMAT_TIME);
    }

    void set_property(guint id, const GValue *value, GParamSpec *spec);
    void get_property(guint id, GValue *value, GParamSpec *spec);
    bool open();
    void close();
    void unlock() { control_.interrupt(); }
    void unlock_stop() { control_.resume(); }
    /// What the server sent while the pipeline was paused is old.
    void restart() { control_.ask_restart(); }
    bool set_caps();
    bool handle_event(GstEvent *event);
    GstFlowReturn create(GstBuffer **buffer);
    bool answer_latency(GstQuery *query) const;

private:
    struct Settings {
        IpcSettings ipc{false};
        OnDisconnect on_disconnect = on_disconnect_reconnect;
        nanoseconds heartbeat_interval{0};
        nanoseconds stats_interval{0};
    };
    struct Stats {
        bool connected = false;
        guint64 connects = 0;
        guint64 protocol_errors = 0;
        FrameStamper::Stats frames;
    };

    void on_connected();
    /// GST_FLOW_OK to go on.
    GstFlowReturn on_disconnected();
    void on_control(const wire::Message &message);
    /// Nothing when the message is not to be pushed.
    GstRef<GstBuffer> make_buffer(const wire::Message &message);
    void set_latency(nanoseconds measured);
    void post_stats_when_due();
    GstStructure *stats() const;

    GstElement *element_;
    GstBaseSrc *src_;
    ElementMessages link_;
    Guarded<Settings> settings_;
    Guarded<Stats> stats_;
    std::atomic<GstClockTime> latency_{0};

    ReceiverControl control_;

    // From READY to PAUSED and back; used by the streaming thread in between.
    std::unique_ptr<FrameReceiver> receiver_;
    std::string path_;
    wire::StreamConfig stream_;     // as the sender said, or its usual one
    wire::StreamConfig negotiated_; // what the caps say
    FrameStamper stamper_;
    bool is_first_of_connection_ = true;
    bool is_server_expected_ = false; // after a pause
    MonotonicTime next_stats_{};
};

GType on_disconnect_get_type()
{
    static const GEnumValue values[] = {
        {on_disconnect_reconnect, "Connect again, for ever", "reconnect"},
        {on_disconnect_eos, "End the stream", "eos"},
        {on_disconnect_error, "Stop with an error", "error"},
        {0, nullptr, nullptr},
    };
    static const GType type = register_enum("GstJkvmIpcSrcOnDisconnect", values);
    return type;
}

} // namespace

struct _GstJkvmIpcSrc {
    GstPushSrc parent;
};

JKVM_DEFINE_ELEMENT(GstJkvmIpcSrc, gst_jkvm_ipc_src, GST_TYPE_PUSH_SRC, IpcSrc)

static void gst_jkvm_ipc_src_configure_class(GstJkvmIpcSrcClass *klass)
{
    GST_DEBUG_CATEGORY_INIT(jkvm_ipc_src_debug, "jkvmipcsrc", 0, "JetKVM audio socket client");

    auto *object_class = G_OBJECT_CLASS(klass);

    IpcSettings::install(object_class, false);
    g_object_class_install_property(
        object_class, property_on_disconnect,
        g_param_spec_enum("on-disconnect", "On disconnect",
                          "What to do when the connection ends (since 0.1)",
                          on_disconnect_get_type(), on_disconnect_reconnect, mutable_playing));
    g_object_class_install_property(
        object_class, property_heartbeat_interval,
        g_param_spec_uint(
            "heartbeat-interval", "Heartbeat interval",
            "How often a Heartbeat is sent to the other end, in milliseconds; 0 = never "
            "(since 0.1)",
            0, 3600000, 0, mutable_ready));
    g_object_class_install_property(
        object_class, property_stats_interval,
        g_param_spec_uint("stats-interval", "Statistics interval",
                          "How often the statistics are posted as an element message, in "
                          "milliseconds, with a frame; 0 = never (since 0.1)",
                          0, 3600000, 0, mutable_playing));
    g_object_class_install_property(
        object_class, property_stats,
        g_param_spec_boxed("stats", "Statistics",
                           "Counters, and latencies in nanoseconds (since 0.1)", GST_TYPE_STRUCTURE,
                           read_only));

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

void IpcSrc::set_property(guint id, const GValue *value, GParamSpec *spec)
{
    auto settings = settings_.lock();
    switch (id) {
    case property_on_disconnect:
        settings->on_disconnect = static_cast<OnDisconnect>(g_value_get_enum(value));
        break;
    case property_heartbeat_interval:
        settings->heartbeat_interval = std::chrono::milliseconds(g_value_get_uint(value));
        break;
    case property_stats_interval:
        settings->stats_interval = std::chrono::milliseconds(g_value_get_uint(value));
        break;
    default:
        if (!settings->ipc.set(id, value))
            G_OBJECT_WARN_INVALID_PROPERTY_ID(element_, id, spec);
    }
}

void IpcSrc::get_property(guint id, GValue *value, GParamSpec *spec)
{
    const auto settings = settings_.snapshot();
    switch (id) {
    case property_on_disconnect:
        g_value_set_enum(value, settings.on_disconnect);
        break;
    case property_heartbeat_interval:
        g_value_set_uint(value, static_cast<guint>(settings.heartbeat_interval / 1ms));
        break;
    case property_stats_interval:
        g_value_set_uint(value, static_cast<guint>(settings.stats_interval / 1ms));
        break;
    case property_stats:
        g_value_take_boxed(value, stats());
        break;
    default:
        if (!settings.ipc.get(id, value))
            G_OBJECT_WARN_INVALID_PROPERTY_ID(element_, id, spec);
    }
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
    path_ = endpoint->path;
    auto receiver = FrameReceiver::open({.endpoint = std::move(*endpoint),
                                         .dialect = settings.ipc.spoken_dialect(),
                                         .heartbeat_interval = settings.heartbeat_interval,
                                         .seed = g_random_int()},
                                        control_);
    if (!receiver) {
        post_error(element_, receiver.error());
        return false;
    }
    receiver_ = std::move(*receiver);
    *stats_.lock() = {};
    stamper_ = {};
    stream_ = {};
    latency_ = static_cast<GstClockTime>(nanoseconds(latency_before_first_frame).count());
    return true;
}

void IpcSrc::close()
{
    receiver_.reset();
    stats_.lock()->connected = false;
}

GstFlowReturn IpcSrc::create(GstBuffer **buffer)
{
    for (;;) {
        switch (receiver_->wait()) {
        case FrameReceiver::Event::interrupted:
            return GST_FLOW_FLUSHING;
        case FrameReceiver::Event::connected:
            on_connected();
            break;
        case FrameReceiver::Event::restarted:
            stats_.lock()->connected = false;
            is_server_expected_ = true;
            break;
        case FrameReceiver::Event::unreachable:
            // It was there before the pause: the connection has ended meanwhile.
            if (std::exchange(is_server_expected_, false)) {
                if (const auto flow = on_disconnected(); flow != GST_FLOW_OK)
                    return flow;
                break;
            }
            GST_DEBUG_OBJECT(element_, "%s", receiver_->error().detail.c_str());
            link_.post("unreachable", describe(receiver_->error()));
            break;
        case FrameReceiver::Event::refused:
            GST_INFO_OBJECT(element_, "refused: %s", receiver_->error().detail.c_str());
            link_.post("forbidden", describe(receiver_->error()));
            break;
        case FrameReceiver::Event::disconnected:
            if (const auto flow = on_disconnected(); flow != GST_FLOW_OK)
                return flow;
            break;
        case FrameReceiver::Event::message:
            if (auto made = make_buffer(receiver_->message())) {
                *buffer = made.release();
                post_stats_when_due();
                return GST_FLOW_OK;
            }
            break;
        }
    }
}

void IpcSrc::on_connected()
{
    {
        auto stats = stats_.lock();
        stats->connected = true;
        ++stats->connects;
    }
    is_first_of_connection_ = true;
    is_server_expected_ = false;
    stream_ = {};
    stamper_.expect_hole();
    GST_INFO_OBJECT(element_, "connected to %s", path_.c_str());
    link_.post("connected", Fields().set("socket-path", path_));
}

GstFlowReturn IpcSrc::on_disconnected()
{
    const auto &error = receiver_->error();
    const bool is_violation = error.kind == ErrorKind::protocol_violation;
    {
        auto stats = stats_.lock();
        stats->connected = false;
        stats->protocol_errors += is_violation ? 1 : 0;
    }
    GST_INFO_OBJECT(element_, "disconnected: %s", error.detail.c_str());
    link_.post(is_violation ? "violation" : "closed", describe(error));
    switch (settings_.lock()->on_disconnect) {
    case on_disconnect_eos:
        return GST_FLOW_EOS;
    case on_disconnect_error:
        break;
    case on_disconnect_reconnect:
        return GST_FLOW_OK;
    }
    // With GST_FLOW_ERROR the base class would post a second error; this completes what downstream
    // writes, too.
    post_error(element_, error);
    return GST_FLOW_EOS;
}

bool IpcSrc::set_caps()
{
    const auto caps = make_opus_caps({.rate = static_cast<int>(stream_.sample_rate),
                                      .channels = static_cast<int>(stream_.channels)},
                                     "jkvmipcsrc");
    negotiated_ = stream_;
    return gst_base_src_set_caps(src_, caps.get());
}

/// True: it was ours.
bool IpcSrc::handle_event(GstEvent *event)
{
    const auto request = parse_encoder_request(event, {});
    if (request)
        control_.request_encoder(*request);
    return request.has_value();
}

void IpcSrc::on_control(const wire::Message &message)
{
    if (message.type == wire::MessageType::stop) {
        GST_INFO_OBJECT(element_, "the sender ends the session");
        stamper_.expect_hole();
    }
    if (message.type != wire::MessageType::config)
        return;
    const auto stream = wire::StreamConfig::decode(message.payload);
    if (!stream)
        return;
    stream_ = *stream;
    GST_INFO_OBJECT(element_, "the sender says: %u Hz, %u channels", stream_.sample_rate,
                    stream_.channels);
}

GstRef<GstBuffer> IpcSrc::make_buffer(const wire::Message &message)
{
    if (message.type != wire::MessageType::opus_frame) {
        on_control(message);
        return {};
    }
    if (message.payload.empty())
        return {};
    const auto frame = stamper_.stamp(message.payload, message.timestamp, read_clocks(element_));
    stats_.lock()->frames = stamper_.stats();
    if (!frame) {
        GST_WARNING_OBJECT(element_, "a frame of %zu bytes is no Opus packet",
                           message.payload.size());
        return {};
    }
    if (std::exchange(is_first_of_connection_, false))
        set_latency(frame->latency);
    // Captured before this pipeline started: it has no place on its time line.
    if (frame->time < 0ns)
        return {};

    if (stream_ != negotiated_)
        set_caps();
    auto buffer = GstRef<GstBuffer>::adopt(
        gst_buffer_new_memdup(message.payload.data(), message.payload.size()));
    GST_BUFFER_PTS(buffer.get()) = static_cast<GstClockTime>(frame->time.count());
    GST_BUFFER_DURATION(buffer.get()) = static_cast<GstClockTime>(frame->duration.count());
    // The sender's own word, for those who want more than our time line.
    static GstStaticCaps unix_caps = GST_STATIC_CAPS("timestamp/x-unix");
    const auto unix_time = GstRef<GstCaps>::adopt(gst_static_caps_get(&unix_caps));
    if (message.timestamp > WallTime{})
        gst_buffer_add_reference_timestamp_meta(
            buffer.get(), unix_time.get(),
            static_cast<GstClockTime>(message.timestamp.time_since_epoch().count()),
            GST_BUFFER_DURATION(buffer.get()));
    if (frame->discontinuity) {
        GST_BUFFER_FLAG_SET(buffer.get(), GST_BUFFER_FLAG_DISCONT);
        GST_BUFFER_FLAG_SET(buffer.get(), GST_BUFFER_FLAG_RESYNC);
    }
    return buffer;
}

void IpcSrc::set_latency(nanoseconds measured)
{
    // In steps of 10 ms, so that it does not change with every connection.
    const auto rounded = std::chrono::ceil<std::chrono::duration<gint64, std::centi>>(
        std::max(measured, 0ns) + latency_margin);
    const auto latency = static_cast<GstClockTime>(nanoseconds(rounded).count());
    if (latency_.exchange(latency) == latency)
        return;
    GST_INFO_OBJECT(element_, "latency is now %" GST_TIME_FORMAT, GST_TIME_ARGS(latency));
    gst_element_post_message(element_, gst_message_new_latency(GST_OBJECT(element_)));
}

bool IpcSrc::answer_latency(GstQuery *query) const
{
    const GstClockTime latency = latency_;
    gst_query_set_latency(query, TRUE, latency,
                          latency + static_cast<GstClockTime>(nanoseconds(socket_depth).count()));
    return true;
}

void IpcSrc::post_stats_when_due()
{
    const auto interval = settings_.lock()->stats_interval;
    if (interval == 0ns)
        return;
    const auto now = monotonic_now();
    if (now < next_stats_)
        return;
    next_stats_ = now + interval;
    gst_element_post_message(element_, gst_message_new_element(GST_OBJECT(element_), stats()));
}

GstStructure *IpcSrc::stats() const
{
    const auto stats = stats_.snapshot();
    const auto latency = stats.frames.latency.values();
    return Fields()
        .set("connected", stats.connected)
        .set("connects", stats.connects)
        .set("frames", stats.frames.frames)
        .set("bytes", stats.frames.bytes)
        .set("lost", stats.frames.lost)
        .set("invalid", stats.frames.invalid)
        .set("implausible-timestamps", stats.frames.implausible_timestamps)
        .set("protocol-errors", stats.protocol_errors)
        .set("latency-current", latency.current)
        .set("latency-average", latency.average)
        .set("latency-min", latency.minimum)
        .set("latency-max", latency.maximum)
        .release("application/x-jkvm-ipcsrc-stats");
}

} // namespace
