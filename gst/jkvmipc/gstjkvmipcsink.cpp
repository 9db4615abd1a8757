// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * SECTION:element-jkvmipcsink
 * @title: jkvmipcsink
 * @short_description: serves Opus frames on a JetKVM audio socket
 *
 * Listens on a Unix socket and sends every Opus packet it gets, as one message of the JetKVM audio
 * protocol, to each client that is connected. It never waits for a client: a client that cannot
 * keep up loses its oldest frames beyond 100 ms, alone, and the loss is counted. A new client
 * starts with the next frame. Each frame bears the capture time of its first sample on the system's
 * wall clock, taken from the buffer's timestamp.
 *
 * The socket path is guarded by a lock on PATH.lock. A stale socket of a server that died is taken
 * over; a live server's is not, and a file that is not a socket is left alone.
 *
 * |[
 * gst-launch-1.0 jkvmaudiosrc device=hw:0,0 ! jkvmipcsink socket-path=/tmp/a.sock
 * gst-launch-1.0 audiotestsrc is-live=true ! opusenc ! jkvmipcsink socket-path=/tmp/a.sock
 * ]|
 *
 * ## Statistics
 *
 * The structure application/x-jkvm-ipcsink-stats in the property stats has these fields. Counters
 * only grow from NULL to NULL.
 *
 * | field | type | meaning |
 * |---|---|---|
 * | frames | guint64 | frames received from upstream and offered to the clients |
 * | bytes | guint64 | of Opus in these frames |
 * | dropped | guint64 | frames that a client did not get because it was too slow, over all clients
 * | | oversized | guint64 | buffers that do not fit into a message of the protocol, sent to nobody
 * | | connects | guint64 | clients accepted | | rejects | guint64 | clients turned away, because
 * there were too many | | protocol-errors | guint64 | clients disconnected for what they sent | |
 * clients | GstValueArray of GstStructure | those connected now: id, pid, uid, frames, bytes,
 * dropped, queued-time (ns) |
 *
 * ## Messages
 *
 * The element message jkvm-client says who comes and goes: reason (added, closed, violation,
 * too-many, server-end), id, pid, uid, detail.
 *
 * Since: 0.1
 */
#include "gstjkvmipcsink.h"

#include "common/clocks.h"
#include "common/element_error.h"
#include "common/element_message.h"
#include "common/element_type.h"
#include "common/mapped_buffer.h"
#include "core/audio/opus_packet.h"
#include "core/ipc/frame_server.h"
#include "ipc_defaults.h"

GST_DEBUG_CATEGORY_STATIC(jkvm_ipc_sink_debug);
#define GST_CAT_DEFAULT jkvm_ipc_sink_debug

namespace {

using namespace jkvm;

enum Property { property_socket_path = 1, property_stats };

const char *nick(RemovalReason reason)
{
    switch (reason) {
    case RemovalReason::closed:
        return "closed";
    case RemovalReason::violation:
        return "violation";
    case RemovalReason::too_many:
        return "too-many";
    case RemovalReason::server_end:
        return "server-end";
    }
    return "";
}

class IpcSink final : public FrameServer::Observer {
public:
    explicit IpcSink(GstJkvmIpcSink *element)
        : element_(GST_ELEMENT(element)), sink_(GST_BASE_SINK(element)),
          clients_(element_, "jkvm-client")
    {
        // It never holds up a pipeline: no clock to wait for, no preroll.
        gst_base_sink_set_sync(sink_, FALSE);
        gst_base_sink_set_async_enabled(sink_, FALSE);
    }

    void set_property(guint id, const GValue *value, GParamSpec *spec);
    void get_property(guint id, GValue *value, GParamSpec *spec);
    bool start();
    bool stop();
    GstFlowReturn render(GstBuffer *buffer);

    void client_added(const ClientInfo &client) override;
    void client_removed(const ClientInfo &client, RemovalReason reason,
                        const std::string &detail) override;

private:
    struct Settings {
        std::string socket_path = default_output_socket;
    };
    struct Session {
        std::unique_ptr<FrameServer> server; // from start() to stop()
        FrameServer::Stats last;             // of the server before
        guint64 oversized = 0;
    };

    WallTime capture_time(GstBuffer *buffer, nanoseconds duration) const;
    GstStructure *stats() const;

    GstElement *element_;
    GstBaseSink *sink_;
    ElementMessages clients_;
    Guarded<Settings> settings_;
    Guarded<Session> session_; // taken before the server's own lock
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
    object_class->set_property = [](GObject *self, guint id, const GValue *value,
                                    GParamSpec *spec) noexcept {
        impl(self).set_property(id, value, spec);
    };
    object_class->get_property = [](GObject *self, guint id, GValue *value,
                                    GParamSpec *spec) noexcept {
        impl(self).get_property(id, value, spec);
    };

    /**
     * GstJkvmIpcSink:socket-path:
     *
     * Path of the Unix socket to listen on, at most 107 bytes.
     *
     * Since: 0.1
     */
    g_object_class_install_property(
        object_class, property_socket_path,
        g_param_spec_string("socket-path", "Socket path",
                            "Path of the Unix socket to listen on, at most 107 bytes (since 0.1)",
                            default_output_socket,
                            static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                     GST_PARAM_MUTABLE_READY)));
    /**
     * GstJkvmIpcSink:stats:
     *
     * Counters and the clients connected now; the fields stand in the element's description.
     *
     * Since: 0.1
     */
    g_object_class_install_property(
        object_class, property_stats,
        g_param_spec_boxed("stats", "Statistics",
                           "Counters, and the clients connected now (since 0.1)",
                           GST_TYPE_STRUCTURE,
                           static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)));

    auto *element_class = GST_ELEMENT_CLASS(klass);
    static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE(
        "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(JKVM_OPUS_CAPS));
    gst_element_class_add_static_pad_template(element_class, &sink_template);
    gst_element_class_set_static_metadata(
        element_class, "JetKVM audio socket sink", "Sink/Audio/Network",
        "Serves Opus frames to the clients of a JetKVM audio socket", "the jkvm developers");

    auto *sink_class = GST_BASE_SINK_CLASS(klass);
    sink_class->start = [](GstBaseSink *self) noexcept -> gboolean { return impl(self).start(); };
    sink_class->stop = [](GstBaseSink *self) noexcept -> gboolean { return impl(self).stop(); };
    sink_class->render = [](GstBaseSink *self, GstBuffer *buffer) noexcept {
        return impl(self).render(buffer);
    };
}

namespace {

void IpcSink::set_property(guint id, const GValue *value, GParamSpec *spec)
{
    switch (id) {
    case property_socket_path: {
        const char *path = g_value_get_string(value);
        settings_.lock()->socket_path = path != nullptr ? path : default_output_socket;
        break;
    }
    default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(element_, id, spec);
    }
}

void IpcSink::get_property(guint id, GValue *value, GParamSpec *spec)
{
    switch (id) {
    case property_socket_path:
        g_value_set_string(value, settings_.lock()->socket_path.c_str());
        break;
    case property_stats:
        g_value_take_boxed(value, stats());
        break;
    default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(element_, id, spec);
    }
}

bool IpcSink::start()
{
    const auto settings = settings_.snapshot();
    auto server = FrameServer::start({.socket = {.path = settings.socket_path}}, *this);
    if (!server) {
        post_error(element_, server.error());
        return false;
    }
    GST_INFO_OBJECT(element_, "serving at %s", settings.socket_path.c_str());
    auto session = session_.lock();
    session->last = {};
    session->oversized = 0;
    session->server = std::move(*server);
    return true;
}

bool IpcSink::stop()
{
    std::unique_ptr<FrameServer> server;
    {
        auto session = session_.lock();
        session->last = session->server->stats();
        session->last.clients.clear();
        server = std::move(session->server);
    }
    // Its end reports to the observer, which must not happen under the lock.
    server.reset();
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
    const std::span<const std::byte> packet = map.bytes();
    const auto facts = opus_packet_facts(packet);
    const auto duration = facts ? facts->duration() : nanoseconds(0);

    auto session = session_.lock();
    if (packet.size() > wire::traits(wire::Dialect::v1).max_payload) {
        ++session->oversized;
        GST_WARNING_OBJECT(element_, "dropped a buffer of %zu bytes: too large for a message",
                           packet.size());
        return GST_FLOW_OK;
    }
    session->server->send(packet, capture_time(buffer, duration), duration);
    return GST_FLOW_OK;
}

/// Of the buffer's first sample. A buffer without a timestamp is taken to end now.
WallTime IpcSink::capture_time(GstBuffer *buffer, nanoseconds duration) const
{
    const auto now = read_clocks(element_);
    const guint64 running =
        gst_segment_to_running_time(&sink_->segment, GST_FORMAT_TIME, GST_BUFFER_PTS(buffer));
    if (now && GST_CLOCK_TIME_IS_VALID(running))
        return now->wall_of(nanoseconds(running));
    return wall_now() - duration;
}

GstStructure *IpcSink::stats() const
{
    FrameServer::Stats stats;
    guint64 oversized = 0;
    {
        const auto session = session_.lock();
        stats = session->server ? session->server->stats() : session->last;
        oversized = session->oversized;
    }
    GstStructure *structure =
        gst_structure_new("application/x-jkvm-ipcsink-stats", "frames", G_TYPE_UINT64, stats.frames,
                          "bytes", G_TYPE_UINT64, stats.bytes, "dropped", G_TYPE_UINT64,
                          stats.dropped, "oversized", G_TYPE_UINT64, oversized, "connects",
                          G_TYPE_UINT64, stats.connects, "rejects", G_TYPE_UINT64, stats.rejects,
                          "protocol-errors", G_TYPE_UINT64, stats.protocol_errors, nullptr);
    GValue clients = G_VALUE_INIT;
    gst_value_array_init(&clients, static_cast<guint>(stats.clients.size()));
    for (const auto &client : stats.clients) {
        GValue entry = G_VALUE_INIT;
        g_value_init(&entry, GST_TYPE_STRUCTURE);
        g_value_take_boxed(
            &entry,
            gst_structure_new("client", "id", G_TYPE_UINT64, client.info.id, "pid", G_TYPE_INT,
                              static_cast<gint>(client.info.pid), "uid", G_TYPE_UINT,
                              static_cast<guint>(client.info.uid), "frames", G_TYPE_UINT64,
                              client.sent.frames, "bytes", G_TYPE_UINT64, client.sent.bytes,
                              "dropped", G_TYPE_UINT64, client.sent.dropped, "queued-time",
                              G_TYPE_UINT64, static_cast<guint64>(client.queued.count()), nullptr));
        gst_value_array_append_and_take_value(&clients, &entry);
    }
    gst_structure_take_value(structure, "clients", &clients);
    return structure;
}

void IpcSink::client_added(const ClientInfo &client)
{
    GST_INFO_OBJECT(element_, "client %" G_GUINT64_FORMAT " added: pid %d, uid %u", client.id,
                    client.pid, client.uid);
    clients_.post("added", "id", G_TYPE_UINT64, client.id, "pid", G_TYPE_INT,
                  static_cast<gint>(client.pid), "uid", G_TYPE_UINT, static_cast<guint>(client.uid),
                  nullptr);
}

void IpcSink::client_removed(const ClientInfo &client, RemovalReason reason,
                             const std::string &detail)
{
    GST_INFO_OBJECT(element_, "client %" G_GUINT64_FORMAT " removed: %s %s", client.id,
                    nick(reason), detail.c_str());
    clients_.post(nick(reason), "id", G_TYPE_UINT64, client.id, "pid", G_TYPE_INT,
                  static_cast<gint>(client.pid), "uid", G_TYPE_UINT, static_cast<guint>(client.uid),
                  "detail", G_TYPE_STRING, detail.c_str(), nullptr);
}

} // namespace
