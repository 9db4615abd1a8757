// SPDX-License-Identifier: LGPL-2.1-or-later
// WHEP and WHIP clients that share no code with the server: plain HTTP and a webrtcbin.
#pragma once

#include "support/gst_test.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace jkvm::testing {

struct HttpResponse {
    int status = 0;
    std::map<std::string, std::string> headers; ///< by name in lower case
    std::string body;
};

/// Sends a request to 127.0.0.1. `headers` replace the defaults (Host and Content-Length).
HttpResponse request(int port, const std::string &method, const std::string &path,
                     const std::map<std::string, std::string> &headers = {},
                     const std::string &body = {});

/// An Opus packet.
using Packet = std::vector<std::uint8_t>;

class WebRtcClient {
public:
    WebRtcClient(const WebRtcClient &) = delete;
    WebRtcClient &operator=(const WebRtcClient &) = delete;

    /// The address of the session, for example /whep/1.
    [[nodiscard]] const std::string &address() const { return address_; }

protected:
    enum class Media { receive, send };

    /// Connects. Fails the test if the server does not accept. `description` has a webrtcbin called
    /// "webrtc".
    WebRtcClient(int port, const std::string &endpoint, const std::string &description,
                 Media media);
    ~WebRtcClient();

    Pipeline &pipeline() { return pipeline_; }
    void wait_until_connected();

private:
    std::string make_offer(Media media);
    void set_answer(const std::string &sdp);

    Pipeline pipeline_;
    GstElement *webrtc_; // of the pipeline
    std::string address_;
};

/// Listens.
class WhepClient : public WebRtcClient {
public:
    explicit WhepClient(int port);

    /// Returns the next packets. Fails the test if they do not arrive within `wait_timeout`.
    std::vector<Packet> pull(std::size_t count);
};

/// Speaks.
class WhipClient : public WebRtcClient {
public:
    /// Returns when packets can be sent.
    explicit WhipClient(int port);

    /// Sends a packet of 20 ms.
    void push(const Packet &packet);

private:
    GstClockTime pushed_ = 0; // duration
};

} // namespace jkvm::testing
