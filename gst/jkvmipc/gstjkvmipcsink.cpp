// SPDX-License-Identifier: LGPL-2.1-or-later
// clang-format off
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
 * | dropped | guint64 | frames that a client did not get because it was too slow, over all clients |
 * | oversized | guint64 | buffers that do not fit into a message of the protocol, sent to nobody |
 * | connects | guint64 | clients accepted |
 * | rejects | guint64 | clients turned away, because there were eight already |
 * | protocol-errors | guint64 | clients disconnected for what they sent |
 * | clients | GstValueArray of GstStructure | those connected now: id, pid, uid, frames, bytes, dropped, queued-time (ns) |
 *
 * ## Messages
 *
 * At most one message with the same name and reason is posted a second; the next one says in its
 * field suppressed (guint) how many were not.
 *
 * The element message jkvm-client says who comes and goes: reason (added, closed, violation,
 * too-many, server-end), id, pid, uid, detail.
 *
 * Since: 0.1
 */
// clang-format on
#include "gstjkvmipcsink.h"

#include "common/clocks.h"
#include "common/element_error.h"
#include "common/element_message.h"
#include "common/element_type.h"
#include "common/mapped_buffer.h"
#include "common/properties.h"
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

Fields describe(const ClientInfo &client)
{
    return std::move(Fields().set("id", client.id).set("pid", client.pid).set("uid", client.uid));
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

    g_object_class_install_property(
        object_class, property_socket_path,
        g_param_spec_string("socket-path", "Socket path",
                            "Path of the Unix socket to listen on, at most 107 bytes (since 0.1)",
                            default_output_socket, mutable_ready));
    g_object_class_install_property(
        object_class, property_stats,
        g_param_spec_boxed("stats", "Statistics",
                           "Counters, and the clients connected now (since 0.1)",
                           GST_TYPE_STRUCTURE, read_only));

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
    std::vector<Fields> clients;
    for (const auto &client : stats.clients) {
        clients.push_back(describe(client.info));
        clients.back()
            .set("frames", client.sent.frames)
            .set("bytes", client.sent.bytes)
            .set("dropped", client.sent.dropped)
            .set("queued-time", client.queued);
    }
    return Fields()
        .set("frames", stats.frames)
        .set("bytes", stats.bytes)
        .set("dropped", stats.dropped)
        .set("oversized", oversized)
        .set("connects", stats.connects)
        .set("rejects", stats.rejects)
        .set("protocol-errors", stats.protocol_errors)
        .set("clients", "client", std::move(clients))
        .release("application/x-jkvm-ipcsink-stats");
}

void IpcSink::client_added(const ClientInfo &client)
{
    GST_INFO_OBJECT(element_, "client %" G_GUINT64_FORMAT " added: pid %d, uid %u", client.id,
                    client.pid, client.uid);
    clients_.post("added", describe(client));
}

void IpcSink::client_removed(const ClientInfo &client, RemovalReason reason,
                             const std::string &detail)
{
    GST_INFO_OBJECT(element_, "client %" G_GUINT64_FORMAT " removed: %s %s", client.id,
                    nick(reason), detail.c_str());
    clients_.post(nick(reason), describe(client).set("detail", detail));
}

} // namespace
