// SPDX-License-Identifier: LGPL-2.1-or-later
#include "whep_client.h"

#include "core/base/time.h"
#include "support/http.h"
#include "support/raw_socket.h"

#include <gst/app/gstappsink.h>
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
        const auto colon = line.find(": ");
        if (colon == std::string::npos)
            continue;
        auto name = line.substr(0, colon);
        std::transform(name.begin(), name.end(), name.begin(),
                       [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        const auto value = line.substr(colon + 2);
        response.headers[name] = value.substr(0, value.find('\r'));
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

void await_gathering(GstElement *webrtc)
{
    const auto give_up = monotonic_now() + wait_timeout;
    GstWebRTCICEGatheringState state{};
    do {
        g_object_get(webrtc, "ice-gathering-state", &state, nullptr);
        g_thread_yield();
    } while (state != GST_WEBRTC_ICE_GATHERING_STATE_COMPLETE && monotonic_now() < give_up);
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

WhepClient::WhepClient(int port)
    : pipeline_("webrtcbin name=webrtc latency=1000 rtpopusdepay name=depayloader ! "
                "appsink name=packets sync=false async=false"),
      webrtc_(pipeline_.element("webrtc"))
{
    g_signal_connect(webrtc_, "pad-added",
                     G_CALLBACK(+[](GstElement *, GstPad *pad, GstElement *depayloader) {
                         const auto sink =
                             GstRef<GstPad>::adopt(gst_element_get_static_pad(depayloader, "sink"));
                         gst_pad_link(pad, sink.get());
                     }),
                     pipeline_.element("depayloader"));
    disable_upnp(webrtc_);
    pipeline_.play();
    const auto response =
        request(port, "POST", "/whep", {{"Content-Type", "application/sdp"}}, make_offer());
    EXPECT_EQ(response.status, 201) << response.body;
    address_ = response.headers.contains("location") ? response.headers.at("location") : "";
    if (response.status == 201)
        set_answer(response.body);
}

WhepClient::~WhepClient() = default;

std::string WhepClient::make_offer()
{
    auto *caps = gst_caps_from_string("application/x-rtp,media=audio,encoding-name=OPUS,"
                                      "payload=111,clock-rate=48000,encoding-params=(string)2");
    GObject *transceiver = nullptr;
    g_signal_emit_by_name(webrtc_, "add-transceiver", GST_WEBRTC_RTP_TRANSCEIVER_DIRECTION_RECVONLY,
                          caps, &transceiver);
    g_object_unref(transceiver);
    gst_caps_unref(caps);
    auto *promise = emit(webrtc_, "create-offer", nullptr);
    GstWebRTCSessionDescription *found = nullptr;
    gst_structure_get(gst_promise_get_reply(promise), "offer", GST_TYPE_WEBRTC_SESSION_DESCRIPTION,
                      &found, nullptr);
    gst_promise_unref(promise);
    gst_promise_unref(emit(webrtc_, "set-local-description", Description(found).get()));
    await_gathering(webrtc_);
    g_object_get(webrtc_, "local-description", &found, nullptr);
    const Description local(found);
    gchar *text = gst_sdp_message_as_text(local->sdp);
    std::string result(text);
    g_free(text);
    return result;
}

void WhepClient::set_answer(const std::string &sdp)
{
    GstSDPMessage *message = nullptr;
    ASSERT_EQ(gst_sdp_message_new_from_text(sdp.c_str(), &message), GST_SDP_OK) << sdp;
    const Description answer(
        gst_webrtc_session_description_new(GST_WEBRTC_SDP_TYPE_ANSWER, message));
    gst_promise_unref(emit(webrtc_, "set-remote-description", answer.get()));
}

std::vector<WhepClient::Packet> WhepClient::pull(std::size_t count)
{
    constexpr auto timeout =
        static_cast<GstClockTime>(std::chrono::nanoseconds(wait_timeout).count());
    std::vector<Packet> packets;
    auto *sink = GST_APP_SINK(pipeline_.element("packets"));
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

} // namespace jkvm::testing
