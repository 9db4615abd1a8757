// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ipc_sink.h"

#include "client_connecting.h"
#include "common/clocks.h"
#include "common/codec_caps.h"
#include "common/element_error.h"
#include "common/encoder_request.h"
#include "common/mapped_buffer.h"
#include "common/source_state.h"
#include "core/opus/packet_facts.h"
#include "core/opus/silence_packet.h"
#include "ipc_sink_stats.h"

#define GST_CAT_DEFAULT jkvm_ipc_sink_debug

namespace jkvm {

namespace {

using namespace std::chrono_literals;

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

} // namespace

IpcSink::IpcSink(GstJkvmIpcSink *element)
    : element_(GST_ELEMENT(element)), sink_(GST_BASE_SINK(element)),
      clients_(element_, "jkvm-client"), link_(element_, "jkvm-link"), sessions_(element_),
      demand_(sink_), report_(element_, GST_CAT_DEFAULT)
{
    // The element never blocks a pipeline: it neither waits for the clock nor prerolls.
    gst_base_sink_set_sync(sink_, FALSE);
    gst_base_sink_set_async_enabled(sink_, FALSE);
    // A last sample would keep a buffer from its pool.
    gst_base_sink_set_last_sample_enabled(sink_, FALSE);
}

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
    else
        report_source_state();
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
    is_listening_ = endpoint->role == Role::listen;
    demand_.reset();
    path_ = endpoint->path;
    const auto dialect = settings.ipc.fixed_dialect().value_or(wire::Dialect::v1);
    auto sender = FrameSender::start({.endpoint = *endpoint,
                                      .dialect = dialect,
                                      .max_queue_time = settings.max_queue_time,
                                      .hold_time = settings.hold_time,
                                      .max_clients = settings.max_clients,
                                      .policy = settings.policy,
                                      .pauses = {.seed = g_random_int()},
                                      .steering_uids = settings.steering_uids},
                                     *this);
    if (!sender) {
        post_error(element_, sender.error());
        return false;
    }
    GST_INFO_OBJECT(element_, "%s %s, dialect %s",
                    endpoint->role == Role::listen ? "listening at" : "connecting to",
                    endpoint->path.c_str(), wire::name(dialect).c_str());
    {
        auto session = session_.lock();
        session->last = {};
        session->dropped_invalid = session->dropped_too_large = session->muted = 0;
        session->max_packet = wire::traits(dialect).max_payload;
        session->max_queue_time = settings.max_queue_time;
        session->sender = std::move(*sender);
        session->source = {};
    }
    report_source_state();
    return true;
}

void IpcSink::close()
{
    std::unique_ptr<FrameSender> sender;
    {
        auto session = session_.lock();
        session->last = session->sender->stats();
        session->last.peers.clear();
        session->last.encoder_request.reset();
        sender = std::move(session->sender);
    }
    // Called without the lock, because stop() calls the observer.
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
    stream.codec = codec_of_caps(caps).value_or(stream.codec);
    stream.frame_size = stream.sample_rate / 50; // the protocol's usual 20 ms
    GST_DEBUG_OBJECT(element_, "stream of %u Hz, %u channels", stream.sample_rate, stream.channels);
    auto session = session_.lock();
    session->codec = stream.codec;
    session->sender->set_stream(stream);
    return true;
}

bool IpcSink::on_event(GstEvent *event)
{
    const bool is_state = is_source_state(event);
    if (is_state) {
        session_.lock()->source = parse_source_state(event);
        report_source_state();
    }
    // Earlier reports are lost if the source is new, or if a pad was flushing or was not linked.
    const auto type = GST_EVENT_TYPE(event);
    return is_state || type == GST_EVENT_CAPS || type == GST_EVENT_SEGMENT ||
           type == GST_EVENT_FLUSH_STOP;
}

/// Reports the state of the source, with this element's own mute, to the receivers.
void IpcSink::report_source_state()
{
    auto session = session_.lock();
    if (!session->sender)
        return;
    auto state = session->source;
    if (settings_.lock()->ipc.mute)
        state.muted = true;
    session->sender->set_source_state(state);
}

GstFlowReturn IpcSink::render(GstBuffer *buffer)
{
    // The protocol has no stream headers.
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
    GST_LOG_OBJECT(element_, "%" GST_PTR_FORMAT, static_cast<void *>(buffer));
    const bool is_muted = settings_.lock()->ipc.mute;
    std::optional<SilencePacket> silence;
    std::optional<PacketFacts> facts;
    bool is_too_large = false;
    unsigned dropped = 0;
    std::vector<PeerInfo> starting;
    {
        auto session = session_.lock();
        facts = packet_facts(session->codec, packet);
        if (facts && is_muted) {
            packet = silence.emplace(session->codec, packet).bytes();
            ++session->muted;
        }
        is_too_large = packet.size() > session->max_packet;
        if (facts && !is_too_large) {
            session->frame_duration = facts->duration;
            starting = sessions_.start_pending();
            dropped = session->sender->send(packet, capture_time(buffer, facts->duration),
                                            facts->duration);
        } else {
            ++(facts ? session->dropped_too_large : session->dropped_invalid);
        }
    }
    if (!starting.empty())
        sessions_.post_started(starting, running_time(buffer).value_or(running_now(element_)));
    if (!facts)
        log_dropped_frames(1, "the buffer is not a packet of the codec in the caps");
    else if (is_too_large)
        log_dropped_frames(1, "the packet is too large for a message");
    else if (dropped > 0)
        log_dropped_frames(dropped, "a client reads too slowly");
}

void IpcSink::log_dropped_frames(unsigned frames, const char *reason)
{
    if (const auto suppressed = drop_warnings_.admit(monotonic_now()))
        GST_WARNING_OBJECT(element_, "dropped %u frames: %s (%u similar warnings suppressed)",
                           frames, reason, *suppressed);
}

/// Returns the capture time of the buffer's first sample. A buffer without a timestamp is assumed
/// to end now.
WallTime IpcSink::capture_time(GstBuffer *buffer, nanoseconds duration) const
{
    const auto running = running_time(buffer);
    return running ? read_clocks(element_).wall_of(*running) : wall_now() - duration;
}

/// Returns the running time of the buffer's first sample, if it has one.
std::optional<nanoseconds> IpcSink::running_time(GstBuffer *buffer) const
{
    const auto &segment = sink_->segment;
    if (segment.format != GST_FORMAT_TIME || !GST_BUFFER_PTS_IS_VALID(buffer))
        return std::nullopt;
    const guint64 running =
        gst_segment_to_running_time(&segment, GST_FORMAT_TIME, GST_BUFFER_PTS(buffer));
    if (!GST_CLOCK_TIME_IS_VALID(running))
        return std::nullopt;
    return nanoseconds(running);
}

GstStructure *IpcSink::stats() const
{
    IpcSinkStats stats;
    {
        const auto session = session_.lock();
        stats.sender = session->sender ? session->sender->stats() : session->last;
        stats.dropped_invalid = session->dropped_invalid;
        stats.dropped_too_large = session->dropped_too_large;
        stats.muted = session->muted;
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
    return is_client_welcome(element_, signals.client_connecting, peer);
}

void IpcSink::on_encoder_request(const std::optional<wire::SettingsRequest> &request)
{
    auto *event = request ? make_encoder_request(*request) : make_encoder_withdrawal({});
    GST_INFO_OBJECT(element_, "the clients' requests: %" GST_PTR_FORMAT,
                    static_cast<void *>(event));
    gst_pad_push_event(GST_BASE_SINK_PAD(sink_), event);
}

void IpcSink::on_peer_added(const PeerInfo &peer)
{
    GST_INFO_OBJECT(element_, "peer %" G_GUINT64_FORMAT " connected: pid %d, uid %u", peer.id,
                    peer.pid, peer.uid);
    demand_.on_added(peer.id);
    if (is_listening_)
        sessions_.on_added(peer);
    clients_.post("added", describe(peer));
    if (!is_listening_)
        post_link("connected", {});
    g_signal_emit(element_, signals.client_added, 0, peer.id, static_cast<gint>(peer.pid),
                  static_cast<guint>(peer.uid));
}

void IpcSink::on_peer_removed(const PeerTable::Removal &removal)
{
    const auto &[peer, reason, detail, has_stopped, replaced_by] = removal;
    GST_INFO_OBJECT(element_, "peer %" G_GUINT64_FORMAT " removed: %s, pid %d, uid %u%s%s", peer.id,
                    nick(reason), peer.pid, peer.uid, detail.empty() ? "" : ": ", detail.c_str());
    demand_.on_removed(peer.id);
    clients_.post(nick(reason), describe(peer).set("detail", detail));
    if (is_listening_)
        sessions_.on_removed(removal);
    else if (reason != RemovalReason::ended)
        post_link(nick(reason), detail);
    g_signal_emit(element_, signals.client_removed, 0, peer.id, nick(reason));
}

void IpcSink::post_link(const char *reason, const std::string &detail)
{
    link_.post(reason, Fields().set("socket-path", path_).set("detail", detail));
}

void IpcSink::on_peer_unreachable(const Error &error)
{
    GST_DEBUG_OBJECT(element_, "could not connect: %s", error.detail.c_str());
    const char *reason = is_permission_denied(error) ? "forbidden" : "unreachable";
    clients_.post(reason, Fields().set("socket-path", path_).set("detail", error.detail));
    post_link(reason, error.detail);
}

} // namespace jkvm
