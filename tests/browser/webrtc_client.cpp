// SPDX-License-Identifier: LGPL-2.1-or-later
#include "webrtc_client.h"

#include "core/base/time.h"
#include "support/http.h"
#include "support/raw_socket.h"

#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <gtest/gtest.h>
#define GST_USE_UNSTABLE_API
#include <gst/webrtc/webrtc.h>

#include <algorithm>
#include <cctype>
#include <sstream>

namespace jkvm::testing {

namespace {

/// Reads a response; the server may keep the connection open after it.
HttpResponse receive_response(int fd)
{
    HttpResponse response;
    const std::string end = "\r\n\r\n";
    std::string text;
    while (!text.ends_with(end)) {
        const auto byte = receive(fd, 1);
        if (byte.empty())
            return response;
        text += static_cast<char>(byte.front());
    }
    std::istringstream lines(text);
    std::string line;
    std::getline(lines, line);
    std::istringstream(line.substr(line.find(' '))) >> response.status;
    while (std::getline(lines, line)) {
        const auto colon = line.find(':');
        if (colon == std::string::npos)
            continue;
        auto name = line.substr(0, colon);
        std::transform(name.begin(), name.end(), name.begin(),
                       [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        const auto begin = line.find_first_not_of(' ', colon + 1);
        response.headers[name] = line.substr(begin, line.find('\r') - begin);
    }
    const auto length = response.headers.find("content-length");
    if (length != response.headers.end()) {
        const auto body = receive(fd, std::stoul(length->second));
        response.body.assign(body.begin(), body.end());
    }
    return response;
}

struct FreeDescription {
    void operator()(GstWebRTCSessionDescription *description) const
    {
        gst_webrtc_session_description_free(description);
    }
};
using Description = std::unique_ptr<GstWebRTCSessionDescription, FreeDescription>;

/// Emits a signal that takes an argument and a promise, and waits until the promise is fulfilled.
GstPromise *emit(GstElement *webrtc, const char *signal, gpointer argument)
{
    auto *promise = gst_promise_new();
    g_signal_emit_by_name(webrtc, signal, argument, promise);
    gst_promise_wait(promise);
    return promise;
}

/// UPnP would delay the offer.
void disable_upnp(GstElement *webrtc)
{
    GObject *ice = nullptr;
    GObject *agent = nullptr;
    g_object_get(webrtc, "ice-agent", &ice, nullptr);
    g_object_get(ice, "agent", &agent, nullptr);
    g_object_set(agent, "upnp", FALSE, nullptr);
    g_object_unref(agent);
    g_object_unref(ice);
}

/// Waits until an enumerated property has the value.
void await_state(GstElement *webrtc, const char *property, int value)
{
    const auto give_up = monotonic_now() + wait_timeout;
    int state = 0;
    do {
        g_object_get(webrtc, property, &state, nullptr);
        g_thread_yield();
    } while (state != value && monotonic_now() < give_up);
    EXPECT_EQ(state, value) << property;
}

} // namespace

HttpResponse request(int port, const std::string &method, const std::string &path,
                     const std::map<std::string, std::string> &headers, const std::string &body)
{
    auto all = headers;
    all.emplace("Host", "127.0.0.1:" + std::to_string(port));
    all.emplace("Content-Length", std::to_string(body.size()));
    all.emplace("Connection", "close");
    std::string text = method + " " + path + " HTTP/1.1\r\n";
    for (const auto &[name, value] : all)
        text.append(name).append(": ").append(value).append("\r\n");
    const auto fd = http_connect(port);
    if (!fd || !http_send(fd.get(), text + "\r\n" + body))
        return {};
    return receive_response(fd.get());
}

WebRtcClient::WebRtcClient(int port, const std::string &endpoint, const std::string &description,
                           Media media)
    : pipeline_(description), webrtc_(pipeline_.element("webrtc"))
{
    disable_upnp(webrtc_);
    if (media == Media::receive)
        g_signal_connect(webrtc_, "pad-added",
                         G_CALLBACK(+[](GstElement *, GstPad *pad, GstElement *depayloader) {
                             const auto sink = GstRef<GstPad>::adopt(
                                 gst_element_get_static_pad(depayloader, "sink"));
                             gst_pad_link(pad, sink.get());
                         }),
                         pipeline_.element("depayloader"));
    pipeline_.play();
    const auto response =
        request(port, "POST", endpoint, {{"Content-Type", "application/sdp"}}, make_offer(media));
    EXPECT_EQ(response.status, 201) << response.body;
    address_ = response.headers.contains("location") ? response.headers.at("location") : "";
    if (response.status == 201)
        set_answer(response.body);
}

WebRtcClient::~WebRtcClient() = default;

void WebRtcClient::wait_until_connected()
{
    await_state(webrtc_, "connection-state", GST_WEBRTC_PEER_CONNECTION_STATE_CONNECTED);
}

std::string WebRtcClient::make_offer(Media media)
{
    auto *caps = gst_caps_from_string("application/x-rtp,media=audio,encoding-name=OPUS,"
                                      "payload=111,clock-rate=48000,encoding-params=(string)2");
    GObject *transceiver = nullptr;
    if (media == Media::receive) {
        g_signal_emit_by_name(webrtc_, "add-transceiver",
                              GST_WEBRTC_RTP_TRANSCEIVER_DIRECTION_RECVONLY, caps, &transceiver);
    } else { // of the linked pad
        g_signal_emit_by_name(webrtc_, "get-transceiver", 0, &transceiver);
        g_object_set(transceiver, "direction", GST_WEBRTC_RTP_TRANSCEIVER_DIRECTION_SENDONLY,
                     "codec-preferences", caps, nullptr);
    }
    g_object_unref(transceiver);
    gst_caps_unref(caps);
    auto *promise = emit(webrtc_, "create-offer", nullptr);
    GstWebRTCSessionDescription *found = nullptr;
    gst_structure_get(gst_promise_get_reply(promise), "offer", GST_TYPE_WEBRTC_SESSION_DESCRIPTION,
                      &found, nullptr);
    gst_promise_unref(promise);
    gst_promise_unref(emit(webrtc_, "set-local-description", Description(found).get()));
    await_state(webrtc_, "ice-gathering-state", GST_WEBRTC_ICE_GATHERING_STATE_COMPLETE);
    g_object_get(webrtc_, "local-description", &found, nullptr);
    const Description local(found);
    gchar *text = gst_sdp_message_as_text(local->sdp);
    std::string result(text);
    g_free(text);
    return result;
}

void WebRtcClient::set_answer(const std::string &sdp)
{
    GstSDPMessage *message = nullptr;
    ASSERT_EQ(gst_sdp_message_new_from_text(sdp.c_str(), &message), GST_SDP_OK) << sdp;
    const Description answer(
        gst_webrtc_session_description_new(GST_WEBRTC_SDP_TYPE_ANSWER, message));
    gst_promise_unref(emit(webrtc_, "set-remote-description", answer.get()));
}

WhepClient::WhepClient(int port)
    : WebRtcClient(port, "/whep",
                   "webrtcbin name=webrtc latency=1000 rtpopusdepay name=depayloader ! "
                   "appsink name=packets sync=false async=false",
                   Media::receive)
{}

std::vector<Packet> WhepClient::pull(std::size_t count)
{
    constexpr auto timeout =
        static_cast<GstClockTime>(std::chrono::nanoseconds(wait_timeout).count());
    std::vector<Packet> packets;
    auto *sink = GST_APP_SINK(pipeline().element("packets"));
    while (packets.size() < count) {
        const auto sample = GstRef<GstSample>::adopt(gst_app_sink_try_pull_sample(sink, timeout));
        if (!sample) {
            ADD_FAILURE() << "only " << packets.size() << " of " << count << " packets arrive";
            break;
        }
        auto *buffer = gst_sample_get_buffer(sample.get());
        Packet packet(gst_buffer_get_size(buffer));
        gst_buffer_extract(buffer, 0, packet.data(), packet.size());
        packets.push_back(std::move(packet));
    }
    return packets;
}

WhipClient::WhipClient(int port)
    : WebRtcClient(port, "/whip",
                   "appsrc name=packets format=time is-live=true caps=audio/x-opus,rate=48000,"
                   "channels=2,channel-mapping-family=0 ! rtpopuspay pt=111 ! "
                   "webrtcbin name=webrtc",
                   Media::send)
{
    wait_until_connected();
}

void WhipClient::push(const Packet &packet)
{
    constexpr GstClockTime duration = 20 * GST_MSECOND;
    auto *buffer = gst_buffer_new_memdup(packet.data(), packet.size());
    GST_BUFFER_PTS(buffer) = pushed_;
    GST_BUFFER_DURATION(buffer) = duration;
    pushed_ += duration;
    EXPECT_EQ(gst_app_src_push_buffer(GST_APP_SRC(pipeline().element("packets")), buffer),
              GST_FLOW_OK);
}

} // namespace jkvm::testing
