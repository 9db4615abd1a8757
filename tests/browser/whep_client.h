// SPDX-License-Identifier: LGPL-2.1-or-later
// A WHEP client that shares no code with the server: plain HTTP and a receiving webrtcbin.
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

class WhepClient {
public:
    using Packet = std::vector<std::uint8_t>;

    /// Connects. Fails the test if the server does not accept.
    explicit WhepClient(int port);
    WhepClient(const WhepClient &) = delete;
    WhepClient &operator=(const WhepClient &) = delete;
    ~WhepClient();

    /// The address of the session, for example /whep/1.
    [[nodiscard]] const std::string &address() const { return address_; }
    /// Returns the next Opus packets. Fails the test if they do not arrive within `wait_timeout`.
    std::vector<Packet> pull(std::size_t count);

private:
    std::string make_offer();
    void set_answer(const std::string &sdp);

    Pipeline pipeline_;
    GstElement *webrtc_; // of the pipeline
    std::string address_;
};

} // namespace jkvm::testing
