// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ipc_src.h"

#include "client_connecting.h"
#include "common/clocks.h"
#include "common/codec_caps.h"
#include "common/element_error.h"
#include "common/gap_event.h"
#include "common/source_state.h"
#include "core/base/overload.h"
#include "core/opus/silence_packet.h"
#include "ipc_src_stats.h"

#define GST_CAT_DEFAULT jkvm_ipc_src_debug

namespace jkvm {

namespace {

// Duration of the frames that the sender may queue while downstream blocks this element: the
// default of jkvmipcsink's max-queue-time.
constexpr nanoseconds socket_depth = default_max_queue_time;
// Samples at 48 kHz that a player of a recording skips. The protocol does not carry the encoder's
// look-ahead; this is that of libopus for voice and music.
constexpr int pre_skip = 312;
// Size of the largest Opus packet with one frame (bytes). Packets of several frames may be larger;
// they are rare, so pooled buffers of that size would waste memory.
constexpr std::size_t largest_pooled_packet = 1275;

Fields describe(const Error &error)
{
    return std::move(Fields().set("socket-path", error.subject).set("detail", error.detail));
}

} // namespace

IpcSrc::IpcSrc(GstJkvmIpcSrc *element)
    : element_(GST_ELEMENT(element)), src_(GST_BASE_SRC(element)), link_(element_, "jkvm-link"),
      sessions_(element_), latency_messages_(element_), report_(element_, GST_CAT_DEFAULT)
{
    gst_base_src_set_live(src_, TRUE);
    gst_base_src_set_format(src_, GST_FORMAT_TIME);
}

const PropertyTable<IpcSrc> &IpcSrc::live_properties()
{
    static const PropertyTable<IpcSrc> table{
        computed<IpcSrc>("stats", "Statistics", "Counters, and latencies in nanoseconds",
                         AnyValue{}, &IpcSrc::stats),
    };
    return table;
}

void IpcSrc::set_property(guint id, const GValue *value, GParamSpec *spec)
{
    if (!ipc_src_properties().set(*settings_.lock(), value, spec))
        G_OBJECT_WARN_INVALID_PROPERTY_ID(element_, id, spec);
    else if (is_open_ && requested_settings_properties().has(spec))
        apply_requested_settings();
}

void IpcSrc::get_property(guint id, GValue *value, GParamSpec *spec)
{
    if (!live_properties().get(*this, value, spec) &&
        !ipc_src_properties().get(*settings_.lock(), value, spec))
        G_OBJECT_WARN_INVALID_PROPERTY_ID(element_, id, spec);
}

bool IpcSrc::open()
{
    interrupted_create_.reset();
    const auto settings = settings_.snapshot();
    auto endpoint = settings.ipc.endpoint();
    if (!endpoint) {
        post_error(element_, endpoint.error());
        return false;
    }
    auto path = endpoint->path;
    const bool is_listening = endpoint->role == Role::listen;
    direction_ = endpoint->direction;
    const auto may_connect = [this](const PeerInfo &client) {
        return is_client_welcome(element_, client_connecting_signal, client);
    };
    const auto opened =
        engine_.open({.receiver = {.endpoint = std::move(*endpoint),
                                   .dialect = settings.ipc.fixed_dialect(),
                                   .heartbeat_interval = settings.heartbeat_interval,
                                   .pauses = {.seed = g_random_int()},
                                   .policy = settings.policy,
                                   .may_connect = may_connect},
                      .timestamp_mode = settings.timestamp_mode});
    if (!opened) {
        post_error(element_, opened.error());
        return false;
    }
    session_.emplace(Session{.pool = PacketPool(largest_pooled_packet),
                             .path = std::move(path),
                             .is_listening = is_listening});
    *pool_monitor_.lock() = session_->pool.monitor();
    announced_latency_ = engine_.latency();
    *requests_.lock() = {};
    has_warned_of_request_ = false;
    muted_ = 0;
    is_open_ = true;
    apply_requested_settings();
    return true;
}

void IpcSrc::close()
{
    is_open_ = false;
    engine_.close();
    session_.reset();
}

GstFlowReturn IpcSrc::create(GstBuffer **buffer)
{
    // A flush removes the segment and may reset the running time.
    if (was_unlocked_.exchange(false) && !has_segment(src_))
        engine_.restart_timeline();
    for (;;) {
        auto flow = GST_FLOW_CUSTOM_SUCCESS;
        std::visit(
            Overload{
                [&](const ReceiveEngine::Frame &frame) { flow = on_event(frame, buffer); },
                [&](const Gap &gap) { push_gap(gap); },
                [&](const ReceiveEngine::Dropped &dropped) { on_event(dropped); },
                [&](const ReceiveEngine::Connected &connected) { on_event(connected); },
                [&](const ReceiveEngine::Unreachable &unreachable) { on_event(unreachable); },
                [&](const ReceiveEngine::Rejected &rejected) { on_event(rejected); },
                [&](const ReceiveEngine::Disconnected &gone) { flow = on_event(gone); },
                [&](const ReceiveEngine::SessionEnded &ended) { on_event(ended); },
                [&](const ReceiveEngine::SourceChanged &changed) { on_event(changed); },
                [&](const ReceiveEngine::Interrupted &) { flow = wait_playing(); },
            },
            engine_.next([this] { return read_clocks(element_); }));
        if (engine_.requests_unsupported() > 0 && !has_warned_of_request_)
            warn_of_unsupported_request();
        if (flow != GST_FLOW_CUSTOM_SUCCESS)
            return flow;
        send_due_request();
    }
}

GstFlowReturn IpcSrc::wait_playing()
{
    // GStreamer 1.26 leaves the interruption set if PLAYING is reached before this wait. A flush
    // and an EOS event set their flag before they interrupt, so one of the two is seen here.
    engine_.resume();
    const auto flow = interrupted_create_.wait_playing(GST_BASE_SRC(element_));
    return flow == GST_FLOW_OK ? GST_FLOW_CUSTOM_SUCCESS : flow;
}

GstFlowReturn IpcSrc::on_event(const ReceiveEngine::Frame &frame, GstBuffer **buffer)
{
    announce_latency();
    if (!std::exchange(session_->has_pushed, true))
        set_caps();
    if (session_->is_listening && !session_->talker) {
        session_->talker = session_->peer;
        sessions_.on_started(session_->peer, frame.time);
    }
    {
        auto requests = requests_.lock();
        requests->completion.record(
            {.bytes = frame.packet.size(), .duration = frame.duration, .is_quiet = frame.is_quiet});
        send_due_request(requests->completion);
    }
    if (frame.lost > 0)
        log_loss(frame);
    if (frame.gap)
        push_gap(*frame.gap);
    post_latency_change();
    post_stats_when_due();
    *buffer = make_buffer(frame).release();
    return GST_FLOW_OK;
}

void IpcSrc::on_event(const ReceiveEngine::Dropped &dropped)
{
    announce_latency();
    const auto suppressed = drop_warnings_.admit(monotonic_now());
    if (!suppressed)
        return;
    using Reason = ReceiveEngine::Dropped::Reason;
    const char *reason = "it is not a packet of the codec";
    if (dropped.reason == Reason::early)
        reason = "it was captured before running time 0";
    else if (dropped.reason == Reason::late)
        reason = "it arrived too late for its position in the stream";
    GST_WARNING_OBJECT(element_,
                       "dropped a frame with running time %" GST_STIME_FORMAT
                       ": %s (%u similar warnings suppressed)",
                       GST_STIME_ARGS(dropped.time.count()), reason, *suppressed);
}

void IpcSrc::on_event(const ReceiveEngine::Connected &connected)
{
    // After a pause of this element the connection is new, but no client replaced another one.
    const auto talker = std::exchange(session_->talker, std::nullopt);
    if (talker && connected.is_replacement)
        sessions_.on_replaced(*talker, connected.peer);
    session_->peer = connected.peer;
    push_source_state({}); // of the peer that was replaced
    requests_.lock()->completion.on_connected(monotonic_now());
    GST_INFO_OBJECT(element_, "connected to %s", session_->path.c_str());
    link_.post("connected", Fields().set("socket-path", session_->path));
}

void IpcSrc::on_event(const ReceiveEngine::Unreachable &unreachable)
{
    GST_DEBUG_OBJECT(element_, "could not connect: %s", unreachable.error.detail.c_str());
    const auto &error = unreachable.error;
    link_.post(is_permission_denied(error) ? "forbidden" : "unreachable", describe(error));
}

void IpcSrc::on_event(const ReceiveEngine::Rejected &rejected)
{
    GST_INFO_OBJECT(element_, "turned a peer away: %s", rejected.error.detail.c_str());
    link_.post(name_of(rejected.reason), describe(rejected.error));
}

GstFlowReturn IpcSrc::on_event(const ReceiveEngine::Disconnected &disconnected)
{
    const auto &error = disconnected.error;
    requests_.lock()->completion.on_disconnected();
    push_source_state({}); // unknown
    GST_INFO_OBJECT(element_, "disconnected: %s", error.detail.c_str());
    const char *reason = disconnected.is_violation ? "violation" : "closed";
    link_.post(disconnected.reason ? name_of(*disconnected.reason) : reason, describe(error));
    if (const auto talker = std::exchange(session_->talker, std::nullopt))
        sessions_.on_lost(*talker);
    switch (settings_.lock()->on_disconnect) {
    case OnDisconnect::eos:
        return GST_FLOW_EOS;
    case OnDisconnect::error:
        break;
    case OnDisconnect::reconnect:
        return GST_FLOW_CUSTOM_SUCCESS;
    }
    // After GST_FLOW_ERROR the base class would post a second error. EOS also lets muxers finish
    // their files.
    post_error(element_, error);
    return GST_FLOW_EOS;
}

void IpcSrc::on_event(const ReceiveEngine::SessionEnded &)
{
    announce_latency();
    GST_INFO_OBJECT(element_, "the sender ended the session");
    if (const auto talker = std::exchange(session_->talker, std::nullopt))
        sessions_.on_stopped(*talker);
}

void IpcSrc::on_event(const ReceiveEngine::SourceChanged &changed)
{
    auto state = changed.state;
    state.listeners.reset(); // those of the sender's socket, not of an element downstream
    push_source_state(state);
    // Each change is posted, so that the last message describes the current state. The receiver
    // limits their rate.
    gst_element_post_message(
        element_,
        gst_message_new_element(GST_OBJECT(element_),
                                source_state_fields(changed.state).release(source_state_name)));
}

void IpcSrc::push_source_state(const wire::SourceState &state)
{
    if (std::exchange(session_->pushed_state, state) != state)
        gst_pad_push_event(GST_BASE_SRC_PAD(src_), make_source_state(state));
}

bool IpcSrc::set_caps()
{
    const auto stream = engine_.stream_config();
    requests_.lock()->completion.set_format(stream);
    apply_requested_settings(); // a requested frame size depends on the sampling rate
    const auto caps = make_stream_caps(stream.codec,
                                       {.rate = static_cast<int>(stream.sample_rate),
                                        .channels = static_cast<int>(stream.channels),
                                        .pre_skip = pre_skip},
                                       "jkvmipcsrc");
    // If downstream does not accept them any more, the current caps fit any Opus packet as well.
    auto *pad = GST_BASE_SRC_PAD(src_);
    if (gst_pad_has_current_caps(pad) && !gst_pad_peer_query_accept_caps(pad, caps.get()))
        return true;
    GST_DEBUG_OBJECT(element_, "caps %" GST_PTR_FORMAT, static_cast<void *>(caps.get()));
    return gst_base_src_set_caps(src_, caps.get());
}

void IpcSrc::log_loss(const ReceiveEngine::Frame &frame)
{
    const auto suppressed = loss_warnings_.admit(monotonic_now());
    if (!suppressed)
        return;
    GST_WARNING_OBJECT(element_,
                       "%" G_GUINT64_FORMAT " frames lost before %" GST_STIME_FORMAT
                       " (%u similar warnings suppressed)",
                       static_cast<guint64>(frame.lost), GST_STIME_ARGS(frame.time.count()),
                       *suppressed);
}

GstRef<GstBuffer> IpcSrc::make_buffer(const ReceiveEngine::Frame &frame)
{
    std::optional<SilencePacket> silence;
    auto packet = frame.packet;
    if (settings_.lock()->ipc.mute) {
        packet = silence.emplace(engine_.stream_config().codec, packet).bytes();
        ++muted_;
    }
    auto buffer = session_->pool.acquire_copy(packet);
    session_->capture_time.set(buffer.get(), frame.captured, frame.duration);
    GST_BUFFER_PTS(buffer.get()) = static_cast<GstClockTime>(frame.time.count());
    GST_BUFFER_DURATION(buffer.get()) = static_cast<GstClockTime>(frame.duration.count());
    if (frame.discontinuity) {
        GST_BUFFER_FLAG_SET(buffer.get(), GST_BUFFER_FLAG_DISCONT);
        GST_BUFFER_FLAG_SET(buffer.get(), GST_BUFFER_FLAG_RESYNC);
    }
    GST_LOG_OBJECT(element_, "%" GST_PTR_FORMAT, static_cast<void *>(buffer.get()));
    return buffer;
}

void IpcSrc::push_gap(const Gap &gap)
{
    GST_DEBUG_OBJECT(element_, "gap at %" GST_STIME_FORMAT ", duration %" GST_STIME_FORMAT,
                     GST_STIME_ARGS(gap.start.count()), GST_STIME_ARGS(gap.duration.count()));
    jkvm::push_gap(src_, gap.start, gap.duration);
}

void IpcSrc::announce_latency()
{
    const auto latency = engine_.latency();
    if (std::exchange(announced_latency_, latency) == latency)
        return;
    GST_INFO_OBJECT(element_, "latency changed to %" GST_STIME_FORMAT,
                    GST_STIME_ARGS(latency.count()));
    gst_element_post_message(element_, gst_message_new_latency(GST_OBJECT(element_)));
}

bool IpcSrc::answer_latency(GstQuery *query) const
{
    const auto latency = static_cast<GstClockTime>(engine_.latency().count());
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

void IpcSrc::post_latency_change()
{
    const auto thresholds = settings_.lock()->latency;
    if (const auto change = engine_.update(session_->latency_watch, thresholds))
        latency_messages_.post(*change);
}

void IpcSrc::on_message(GstMessage *message)
{
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_STREAM_STATUS)
        priority_.on_message(message, GST_BASE_SRC_PAD(src_), settings_.lock()->priority);
}

GstStructure *IpcSrc::stats() const
{
    return make_structure({.receive = engine_.stats(),
                           .pool = pool_monitor_.lock()->stats(),
                           .muted = muted_,
                           .scheduling = priority_.granted()});
}

} // namespace jkvm
