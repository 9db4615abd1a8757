// SPDX-License-Identifier: LGPL-2.1-or-later
#include "webrtc_peer.h"

#define GST_USE_UNSTABLE_API
#include <gst/webrtc/webrtc.h>
#include <nice/nice.h>

namespace jkvm::browser {

namespace {

constexpr guint answer_timeout = 5000;   // ms
constexpr guint connect_timeout = 10000; // ms, after the answer

using Reply = std::function<void(const GstStructure *)>;

/// Returns a promise that calls `reply` on the thread that answers it. The structure is null if the
/// promise was not answered.
GstPromise *make_promise(Reply reply)
{
    return gst_promise_new_with_change_func(
        [](GstPromise *promise, gpointer data) {
            const bool has_reply = gst_promise_wait(promise) == GST_PROMISE_RESULT_REPLIED;
            (*static_cast<Reply *>(data))(has_reply ? gst_promise_get_reply(promise) : nullptr);
            gst_promise_unref(promise);
        },
        new Reply(std::move(reply)), [](gpointer data) { delete static_cast<Reply *>(data); });
}

struct FreeDescription {
    void operator()(GstWebRTCSessionDescription *description) const
    {
        gst_webrtc_session_description_free(description);
    }
};
using Description = std::unique_ptr<GstWebRTCSessionDescription, FreeDescription>;

Description make_description(GstWebRTCSDPType type, SdpPtr sdp)
{
    return Description(gst_webrtc_session_description_new(type, sdp.release()));
}

/// Copies the session description in a field; null if there is none.
SdpPtr copy_description(const GstStructure *reply, const char *field)
{
    Description description;
    GstWebRTCSessionDescription *found = nullptr;
    if (reply != nullptr && gst_structure_get(reply, field, GST_TYPE_WEBRTC_SESSION_DESCRIPTION,
                                              &found, nullptr) != FALSE)
        description.reset(found);
    GstSDPMessage *copy = nullptr;
    if (description)
        gst_sdp_message_copy(description->sdp, &copy);
    return SdpPtr(copy);
}

ObjectRef<GObject> ice_agent_of(GstElement *webrtc)
{
    GObject *ice = nullptr;
    g_object_get(webrtc, "ice-agent", &ice, nullptr);
    const ObjectRef<GObject> owned_ice(ice);
    GObject *agent = nullptr;
    g_object_get(ice, "agent", &agent, nullptr);
    return ObjectRef<GObject>(agent);
}

/// Discards a stream that the client sends in addition, such as video: an unlinked pad would be an
/// error.
void discard(GstElement *webrtc, GstPad *pad)
{
    const ObjectRef<GstObject> bin(gst_object_get_parent(GST_OBJECT(webrtc)));
    auto *sink = gst_element_factory_make("fakesink", nullptr);
    g_object_set(sink, "async", FALSE, "sync", FALSE, nullptr);
    gst_bin_add(GST_BIN(bin.get()), sink);
    gst_element_sync_state_with_parent(sink);
    const ObjectRef<GstPad> input(gst_element_get_static_pad(sink, "sink"));
    gst_pad_link(pad, input.get());
}

/// Returns a bin with a floating reference, or null after a message on standard error.
GstElement *parse_bin(const std::string &description, bool has_ghost_pads)
{
    GError *error = nullptr;
    auto *bin =
        gst_parse_bin_from_description(description.c_str(), has_ghost_pads ? TRUE : FALSE, &error);
    if (error == nullptr)
        return bin;
    const ErrorPtr owned(error);
    g_printerr("Could not create an end of a connection: %s\n", error->message);
    if (bin != nullptr)
        gst_object_unref(bin);
    return nullptr;
}

} // namespace

std::shared_ptr<WebRtcPeer> WebRtcPeer::create_sender(const std::string &description)
{
    auto *const bin = parse_bin(description, true);
    if (bin == nullptr)
        return nullptr;
    std::shared_ptr<WebRtcPeer> peer(new WebRtcPeer(bin));
    const ObjectRef<GstElement> payloader(gst_bin_get_by_name(GST_BIN(bin), "payloader"));
    peer->packets_.reset(gst_element_get_static_pad(payloader.get(), "src"));
    peer->drop_packets_until_connected();
    return peer;
}

std::shared_ptr<WebRtcPeer> WebRtcPeer::create_receiver()
{
    // The jitter buffer only restores the order: the delay for jitter is added by the receiver of
    // the packets.
    auto *const bin = parse_bin("webrtcbin name=webrtc bundle-policy=max-bundle latency=20 "
                                "rtpopusdepay name=depayloader",
                                false);
    if (bin == nullptr)
        return nullptr;
    std::shared_ptr<WebRtcPeer> peer(new WebRtcPeer(bin));
    const ObjectRef<GstElement> depayloader(gst_bin_get_by_name(GST_BIN(bin), "depayloader"));
    const ObjectRef<GstPad> packets(gst_element_get_static_pad(depayloader.get(), "src"));
    gst_element_add_pad(bin, gst_ghost_pad_new("src", packets.get()));
    const ObjectRef<GstPad> rtp(gst_element_get_static_pad(depayloader.get(), "sink"));
    g_signal_connect_object(peer->webrtc_.get(), "pad-added",
                            G_CALLBACK(+[](GstElement *webrtc, GstPad *pad, GstPad *sink) {
                                if (gst_pad_link(pad, sink) != GST_PAD_LINK_OK)
                                    discard(webrtc, pad);
                            }),
                            rtp.get(), static_cast<GConnectFlags>(0));
    return peer;
}

WebRtcPeer::WebRtcPeer(GstElement *bin)
    : bin_(static_cast<GstElement *>(gst_object_ref_sink(bin))),
      webrtc_(gst_bin_get_by_name(GST_BIN(bin), "webrtc"))
{
    const auto agent = ice_agent_of(webrtc_.get());
    g_object_set(agent.get(), "upnp", FALSE, nullptr); // its discovery delays the answer
    use_loopback_if_alone();
}

WebRtcPeer::~WebRtcPeer() = default;

/// webrtcbin would queue packets until the connection is up and then send them at once.
void WebRtcPeer::drop_packets_until_connected()
{
    using Flag = std::shared_ptr<std::atomic<bool>>;
    gst_pad_add_probe(
        packets_.get(),
        static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST),
        [](GstPad *, GstPadProbeInfo *, gpointer flag) {
            return **static_cast<Flag *>(flag) ? GST_PAD_PROBE_OK : GST_PAD_PROBE_DROP;
        },
        new Flag(is_connected_), [](gpointer flag) { delete static_cast<Flag *>(flag); });
}

/// libnice does not gather candidates of the loopback interface by itself.
void WebRtcPeer::use_loopback_if_alone()
{
    GList *addresses = nice_interfaces_get_local_ips(FALSE);
    const bool is_alone = addresses == nullptr;
    g_list_free_full(addresses, g_free);
    if (!is_alone)
        return;
    const auto agent = ice_agent_of(webrtc_.get());
    NiceAddress address;
    nice_address_init(&address);
    nice_address_set_from_string(&address, "127.0.0.1");
    nice_agent_add_local_address(NICE_AGENT(agent.get()), &address);
}

Task WebRtcPeer::bind(void (WebRtcPeer::*member)())
{
    return [weak = weak_from_this(), member] {
        run_in_main_loop([weak, member] {
            if (const auto self = weak.lock())
                (*self.*member)();
        });
    };
}

void WebRtcPeer::watch_states()
{
    if (packets_)
        on_signal(packets_.get(), "notify::caps", bind(&WebRtcPeer::set_offer));
    on_signal(webrtc_.get(), "notify::ice-gathering-state",
              bind(&WebRtcPeer::send_gathered_answer));
    // The flag is set here and not in the main loop, so that no packet is dropped after the change.
    on_signal(webrtc_.get(), "notify::connection-state",
              [webrtc = webrtc_.get(), is_connected = is_connected_,
               report = bind(&WebRtcPeer::on_connection_state)] {
                  GstWebRTCPeerConnectionState state{};
                  g_object_get(webrtc, "connection-state", &state, nullptr);
                  *is_connected = state == GST_WEBRTC_PEER_CONNECTION_STATE_CONNECTED;
                  report();
              });
}

void WebRtcPeer::answer(SdpPtr offer, AnswerHandler on_answer, Task on_closed)
{
    on_answer_ = std::move(on_answer);
    on_closed_ = std::move(on_closed);
    timeout_ = Timer(answer_timeout, [this] { finish_answer(std::nullopt); });
    offer_ = std::move(offer);
    watch_states();
    set_offer();
}

/// Waits for the payloader's caps, because the answer has to contain their SSRC.
void WebRtcPeer::set_offer()
{
    if (!offer_ || (packets_ && gst_pad_has_current_caps(packets_.get()) == FALSE))
        return;
    const auto description = make_description(GST_WEBRTC_SDP_TYPE_OFFER, std::move(offer_));
    auto *promise = make_promise(
        [created = bind(&WebRtcPeer::create_answer)](const GstStructure *) { created(); });
    g_signal_emit_by_name(webrtc_.get(), "set-remote-description", description.get(), promise);
}

void WebRtcPeer::create_answer()
{
    auto *promise = make_promise([weak = weak_from_this()](const GstStructure *reply) {
        auto sdp = std::make_shared<SdpPtr>(copy_description(reply, "answer"));
        run_in_main_loop([weak, sdp] {
            if (const auto self = weak.lock())
                self->set_answer(std::move(*sdp));
        });
    });
    g_signal_emit_by_name(webrtc_.get(), "create-answer", nullptr, promise);
}

void WebRtcPeer::set_answer(SdpPtr sdp)
{
    if (!sdp)
        return finish_answer(std::nullopt);
    const auto description = make_description(GST_WEBRTC_SDP_TYPE_ANSWER, std::move(sdp));
    has_local_description_ = true;
    auto *promise = make_promise(
        [gather = bind(&WebRtcPeer::send_gathered_answer)](const GstStructure *) { gather(); });
    g_signal_emit_by_name(webrtc_.get(), "set-local-description", description.get(), promise);
}

void WebRtcPeer::send_gathered_answer()
{
    GstWebRTCICEGatheringState state{};
    g_object_get(webrtc_.get(), "ice-gathering-state", &state, nullptr);
    if (!has_local_description_ || state != GST_WEBRTC_ICE_GATHERING_STATE_COMPLETE)
        return;
    GstWebRTCSessionDescription *found = nullptr;
    g_object_get(webrtc_.get(), "local-description", &found, nullptr);
    if (found == nullptr)
        return;
    const Description description(found);
    const Text text(gst_sdp_message_as_text(description->sdp));
    finish_answer(text.get());
}

void WebRtcPeer::finish_answer(const std::optional<std::string> &sdp)
{
    timeout_ = sdp ? Timer(connect_timeout, bind(&WebRtcPeer::close)) : Timer();
    if (const auto on_answer = std::exchange(on_answer_, nullptr))
        on_answer(sdp);
}

void WebRtcPeer::on_connection_state()
{
    GstWebRTCPeerConnectionState state{};
    g_object_get(webrtc_.get(), "connection-state", &state, nullptr);
    if (state == GST_WEBRTC_PEER_CONNECTION_STATE_CONNECTED)
        timeout_ = Timer();
    if (state == GST_WEBRTC_PEER_CONNECTION_STATE_FAILED ||
        state == GST_WEBRTC_PEER_CONNECTION_STATE_CLOSED)
        close();
}

void WebRtcPeer::close()
{
    if (const auto on_closed = std::exchange(on_closed_, nullptr))
        on_closed();
}

void warm_up_webrtc()
{
    const ObjectRef<GstElement> webrtc(static_cast<GstElement *>(
        gst_object_ref_sink(gst_element_factory_make("webrtcbin", nullptr))));
    gst_element_set_state(webrtc.get(), GST_STATE_PAUSED);
    const std::unique_ptr<GstCaps, decltype(&gst_caps_unref)> caps(
        gst_caps_from_string("application/x-rtp,media=audio,encoding-name=OPUS,payload=96,"
                             "clock-rate=48000,encoding-params=(string)2"),
        &gst_caps_unref);
    GObject *transceiver = nullptr;
    g_signal_emit_by_name(webrtc.get(), "add-transceiver",
                          GST_WEBRTC_RTP_TRANSCEIVER_DIRECTION_SENDONLY, caps.get(), &transceiver);
    const ObjectRef<GObject> owned(transceiver);
    // An offer contains the fingerprint of a certificate, so creating it initialises TLS.
    auto *promise = gst_promise_new();
    g_signal_emit_by_name(webrtc.get(), "create-offer", nullptr, promise);
    gst_promise_wait(promise);
    gst_promise_unref(promise);
    gst_element_set_state(webrtc.get(), GST_STATE_NULL);
}

} // namespace jkvm::browser
