// SPDX-License-Identifier: LGPL-2.1-or-later
// HTTP server for the page, for WHEP (WebRTC-HTTP egress protocol), with which clients listen, and
// for WHIP (ingestion), with which one client speaks.
#pragma once

#include "peer_host.h"
#include "request_guard.h"

#include <libsoup/soup.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace jkvm::browser {

/// A client POSTs an SDP offer to /whep or /whip. The response has status 201, the SDP answer as
/// its body, and the session's address, e.g. /whep/ID, in Location. DELETE of that address ends the
/// session. While one client speaks, further ones are refused with status 409.
///
/// The page also opens a WebSocket to /alive/ID, and the session ends when that closes: a browser
/// that is killed sends no DELETE, and webrtcbin detects this only after more than a minute.
///
/// Main thread only.
class WebServer {
public:
    static constexpr goffset max_offer_size = 65536; // bytes

    /// Listens on the loopback interface; port 0: any free one. Returns null, after a message on
    /// standard error, if that fails. Without `microphone`, no client can speak. The hosts outlive
    /// the server.
    static std::unique_ptr<WebServer> listen(unsigned port, PeerHost &output, PeerHost *microphone);
    WebServer(const WebServer &) = delete;
    WebServer &operator=(const WebServer &) = delete;
    ~WebServer();

    [[nodiscard]] unsigned port() const { return port_; }

private:
    using Id = std::uint64_t;
    struct Session {
        PeerHost *host;
        std::shared_ptr<WebRtcPeer> peer;
        ObjectRef<SoupServerMessage> request; ///< paused; null after the answer
        ObjectRef<SoupWebsocketConnection> socket;
    };
    using Sessions = std::map<Id, Session>;

    WebServer(SoupServer *server, unsigned port, std::map<std::string, PeerHost *> hosts);
    void add_handlers();
    void check(SoupServerMessage *request) const;
    void serve_page(SoupServerMessage *request) const;
    void serve_sessions(SoupServerMessage *request, const std::string &path);
    void on_offer(SoupServerMessage *request, const std::string &endpoint, PeerHost &host);
    void on_client_left(Id id);
    void on_answer(const std::string &address, const std::optional<std::string> &sdp);
    void on_socket(SoupWebsocketConnection *socket, const std::string &path);
    void remove(Id id);
    /// Returns the session with this address, or with its address at the liveness endpoint.
    [[nodiscard]] Sessions::iterator find(const std::string &path);

    ObjectRef<SoupServer> server_;
    unsigned port_;
    RequestGuard guard_;
    std::map<std::string, PeerHost *> hosts_; // by the path of the endpoint
    Sessions sessions_;
    Id next_id_ = 1;
};

} // namespace jkvm::browser
