// SPDX-License-Identifier: LGPL-2.1-or-later
// Serves frames to every client that connects: the engine of jkvmipcsink.
#pragma once

#include "core/base/guarded.h"
#include "core/ipc/listening_socket.h"
#include "core/ipc/peer.h"
#include "core/ipc/wake_event.h"
#include "core/wire/parser.h"

#include <sys/types.h>

#include <map>
#include <memory>
#include <thread>

namespace jkvm {

/// A client, for reports.
struct ClientInfo {
    std::uint64_t id = 0; ///< counts up from 1 over the server's life
    pid_t pid = 0;        ///< as the kernel says; 0 if unknown
    uid_t uid = 0;
};

enum class RemovalReason {
    closed,     ///< it went away
    violation,  ///< it sent something that is not this protocol
    too_many,   ///< there are `max_clients` already; it was never added
    server_end, ///< the server stops
};

/// Two threads: the caller's, which sends and never waits, and one service thread, which accepts,
/// reads what clients say and finishes what a slow client could not take at once.
class FrameServer {
public:
    struct Config {
        ListeningSocket::Config socket;
        wire::Format format;
        nanoseconds max_queue_time = std::chrono::milliseconds(100); ///< of each client
        std::size_t max_clients = 8;
    };

    /// Called from the service thread, and from the destructor, with no lock held.
    class Observer {
    public:
        virtual ~Observer() = default;
        virtual void client_added(const ClientInfo &client) = 0;
        /// `detail` is for the debug text and may be empty.
        virtual void client_removed(const ClientInfo &client, RemovalReason reason,
                                    const std::string &detail) = 0;
    };

    struct ClientStats {
        ClientInfo info;
        Peer::Counters sent;
        nanoseconds queued{0};
    };
    /// Every counter only grows while the server lives.
    struct Stats {
        std::uint64_t frames = 0;   ///< given to send()
        std::uint64_t bytes = 0;    ///< of payload, given to send()
        std::uint64_t dropped = 0;  ///< frames that some client did not get, over all clients
        std::uint64_t connects = 0; ///< clients accepted
        std::uint64_t rejects = 0;  ///< clients turned away
        std::uint64_t protocol_errors = 0; ///< clients that had to go for what they sent
        std::vector<ClientStats> clients;  ///< those connected now
    };

    /// Errors: as ListeningSocket::open, and `out_of_resources`. The observer outlives the server.
    static Result<std::unique_ptr<FrameServer>> start(const Config &config, Observer &observer);
    FrameServer(const FrameServer &) = delete;
    FrameServer &operator=(const FrameServer &) = delete;
    ~FrameServer();

    /// Sends one Opus packet to every client. Never blocks and never fails: a client in trouble is
    /// the service thread's business. `captured`: of the packet's first sample.
    void send(std::span<const std::byte> packet, WallTime captured, nanoseconds duration);

    [[nodiscard]] Stats stats() const;

private:
    struct Client {
        Client(ClientInfo client_info, Peer peer_, wire::Format format)
            : info(client_info), peer(std::move(peer_)), parser(format.direction, format.dialect)
        {}
        ClientInfo info;
        Peer peer;
        wire::Parser parser; // of what the client says
        bool is_writable_awaited = false;
    };
    // Everything that both threads touch.
    struct Shared {
        std::map<std::uint64_t, Client> clients;
        Stats stats; // without `clients`, which is made on demand
    };
    struct Removal {
        ClientInfo client;
        RemovalReason reason;
        std::string detail;
    };

    FrameServer(Config config, Observer &observer, ListeningSocket socket, UniqueFd epoll);

    void serve();
    void accept_clients();
    void handle_client(std::uint64_t id, std::uint32_t events);
    /// What is wrong with the client, if anything is.
    std::optional<Removal> listen_to(Client &client);
    void remove(Shared &shared, std::uint64_t id);
    void await_writable(Client &client);
    bool watch(int operation, int fd, std::uint32_t events, std::uint64_t token);

    Config config_;
    Observer &observer_;
    ListeningSocket socket_;
    UniqueFd epoll_;
    WakeEvent end_;
    std::uint64_t next_id_ = 1;      // service thread only
    bool is_accepting_ = true;       // service thread only
    mutable Guarded<Shared> shared_; // never held while the observer is called
    std::thread service_;
};

} // namespace jkvm
