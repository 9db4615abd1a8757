// SPDX-License-Identifier: LGPL-2.1-or-later
// HTTP server for the page and for WHEP (WebRTC-HTTP egress protocol).
#pragma once

#include "audio_output.h"
#include "request_guard.h"

#include <libsoup/soup.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace jkvm::browser {

/// A client POSTs an SDP offer to /whep. The response has status 201, the SDP answer as its body,
/// and the viewer's address, /whep/ID, in Location. DELETE of that address removes the viewer.
///
/// The page also opens a WebSocket to /alive/ID, and the viewer is removed when that closes: a
/// browser that is killed sends no DELETE, and webrtcbin detects this only after more than a
/// minute.
///
/// Main thread only.
class WhepServer {
public:
    static constexpr std::size_t max_viewers = 32;
    static constexpr goffset max_offer_size = 65536; // bytes

    /// Listens on the loopback interface; port 0: any free one. Returns null, after a message on
    /// standard error, if that fails. `output` outlives the server.
    static std::unique_ptr<WhepServer> listen(unsigned port, AudioOutput &output);
    WhepServer(const WhepServer &) = delete;
    WhepServer &operator=(const WhepServer &) = delete;
    ~WhepServer();

    [[nodiscard]] unsigned port() const { return port_; }

private:
    using Id = std::uint64_t;
    struct Session {
        std::shared_ptr<Viewer> viewer;
        ObjectRef<SoupServerMessage> request; ///< paused; null after the answer
        ObjectRef<SoupWebsocketConnection> socket;
    };
    using Sessions = std::map<Id, Session>;

    WhepServer(SoupServer *server, unsigned port, AudioOutput &output);
    void add_handlers();
    void check(SoupServerMessage *request) const;
    void serve_page(SoupServerMessage *request) const;
    void serve_whep(SoupServerMessage *request, const std::string &path);
    void on_offer(SoupServerMessage *request);
    void on_client_left(Id id);
    void on_answer(Id id, const std::optional<std::string> &sdp);
    void on_socket(SoupWebsocketConnection *socket, const std::string &path);
    void remove(Id id);
    [[nodiscard]] Sessions::iterator find(const std::string &path);

    ObjectRef<SoupServer> server_;
    unsigned port_;
    RequestGuard guard_;
    AudioOutput &output_;
    Sessions sessions_;
    Id next_id_ = 1;
};

} // namespace jkvm::browser
