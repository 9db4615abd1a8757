// SPDX-License-Identifier: LGPL-2.1-or-later
// Sends frames to whoever is connected: the engine of jkvmipcsink.
#pragma once

#include "core/base/backoff.h"
#include "core/base/guarded.h"
#include "core/base/wake_event.h"
#include "core/ipc/send/peer.h"
#include "core/ipc/send/peer_dialogue.h"
#include "core/ipc/socket/connection.h"
#include "core/ipc/socket/listening_socket.h"
#include "core/stats/latency_monitor.h"
#include "core/wire/control.h"

#include <map>
#include <memory>
#include <thread>

namespace jkvm {

/// Whom a listening end serves.
enum class ClientPolicy {
    share,   ///< up to `max_clients`; more are turned away
    replace, ///< the newest alone, as JetKVM's own processes do it
    reject,  ///< the first alone; others are turned away while it is there
};

enum class RemovalReason {
    closed,    ///< it went away
    violation, ///< it sent something that is not this protocol
    slow,      ///< it lost too many frames in a row, or took nothing for too long
    replaced,  ///< a newer one came
    too_many,  ///< there is no room for it; it was never added
    forbidden, ///< its user may not connect, or the application refused it; it was never added
    ended,     ///< our end stops
};

/// Two threads: the caller's, which sends and never waits, and one service thread, which accepts or
/// connects, reads what peers say and finishes what a slow peer could not take at once.
class FrameSender {
public:
    struct Config {
        Endpoint endpoint;
        wire::Dialect dialect = wire::Dialect::v1;
        nanoseconds max_queue_time = default_max_queue_time; ///< of each peer
        std::size_t max_clients = 8;                         ///< of a listening end
        ClientPolicy policy = ClientPolicy::share;           ///< of a listening end
        // Of a connecting end.
        nanoseconds first_pause = std::chrono::milliseconds(50);
        nanoseconds longest_pause = std::chrono::seconds(2);
        std::uint32_t seed = 1; ///< of the jitter of the pauses
    };
    /// A peer that lost so many frames in a row is given up.
    static constexpr unsigned max_dropped_in_a_row = 50;
    /// A peer that took nothing for so long, while something waits for it, is given up.
    static constexpr nanoseconds max_stall = std::chrono::seconds(2);

    /// Called from the service thread, and from stop(), with no lock held. Must not stop the
    /// sender: that waits for the service thread.
    class Observer {
    public:
        virtual ~Observer() = default;
        /// Whether it may come in. Its user is one of the endpoint's allowed ones.
        virtual bool may_connect(const PeerInfo &peer) = 0;
        virtual void peer_added(const PeerInfo &peer) = 0;
        /// `detail` is for the debug text and may be empty.
        virtual void peer_removed(const PeerInfo &peer, RemovalReason reason,
                                  const std::string &detail) = 0;
        /// A connecting end: one try failed, the next one comes after a pause.
        virtual void peer_unreachable(const Error &error) = 0;
        /// What those who are connected would like it encoded like: of several wishes what costs
        /// least. Nothing: nobody has a wish any more.
        virtual void encoder_requested(const std::optional<wire::EncoderConfig> &config) = 0;
    };

    struct PeerStats {
        PeerInfo info;
        Peer::Counters sent;
        nanoseconds queued{0};
        std::size_t queued_frames = 0;
        BufferSizes buffers;
        int send_buffer_used = 0; ///< bytes, as the kernel counts
    };
    /// Every counter only grows while the sender lives.
    struct Stats {
        std::uint64_t frames = 0;  ///< given to send()
        std::uint64_t bytes = 0;   ///< of payload, given to send()
        std::uint64_t unheard = 0; ///< frames given to send() while no peer was there
        // Frames that a peer did not get, over all peers.
        std::uint64_t dropped_queue_full = 0;   ///< the oldest, because too much waited
        std::uint64_t dropped_disconnected = 0; ///< they still waited when the peer went
        std::uint64_t connects = 0;             ///< connections made
        std::uint64_t rejects = 0;              ///< clients turned away
        std::uint64_t protocol_errors = 0;      ///< peers that had to go for what they sent
        std::uint64_t slow_peers = 0;           ///< peers that had to go for being too slow
        std::uint64_t disconnects = 0;          ///< connections that ended before stop()
        nanoseconds sending{0};                 ///< time spent in send()
        WallTime last_frame{};                  ///< when send() was called last
        LatencyMonitor latency;                 ///< from capture of the first sample to send()
        LatencyHistogram delivery;              ///< to the kernel instead, over all peers
        std::vector<PeerStats> peers;           ///< those connected now
    };

    /// Errors: as ListeningSocket::open for a listening end, `path_unusable` for a connecting one,
    /// and `out_of_resources`. The observer outlives the sender.
    static Result<std::unique_ptr<FrameSender>> start(const Config &config, Observer &observer);
    FrameSender(const FrameSender &) = delete;
    FrameSender &operator=(const FrameSender &) = delete;
    ~FrameSender();

    /// Sends one Opus packet to every peer. Never blocks and never fails: a peer in trouble is the
    /// service thread's business. `captured`: of the packet's first sample.
    void send(std::span<const std::byte> packet, WallTime captured, nanoseconds duration);
    /// What is going to be sent. On the microphone path peers are told, now and when they connect.
    void set_stream(const wire::StreamConfig &stream);

    [[nodiscard]] Stats stats() const;
    /// Lets out what waits, for 100 ms at most, and disconnects everybody. There must be no send()
    /// any more. The last statistics.
    Stats stop();

private:
    struct Client {
        Client(PeerInfo peer_info, Peer peer_, BufferSizes sizes, wire::Format format)
            : info(peer_info), peer(std::move(peer_)), buffers(sizes), dialogue(format)
        {}
        PeerInfo info;
        Peer peer;
        BufferSizes buffers;
        PeerDialogue dialogue;
        std::optional<wire::EncoderConfig> encoder_request; // until it is withdrawn
        bool is_writable_awaited = false;
        std::uint64_t bytes_then = 0; // its counter when it last took something ...
        MonotonicTime took_last{};    // ... and when that was, or when nothing waited for it
    };
    // Everything that both threads touch.
    struct Shared {
        std::map<std::uint64_t, Client> clients;
        std::optional<wire::StreamConfig> stream;
        Stats stats; // without `peers`, which is made on demand
    };
    struct Removal {
        PeerInfo peer;
        RemovalReason reason;
        std::string detail;
    };

    FrameSender(Config config, Observer &observer, std::optional<ListeningSocket> socket,
                UniqueFd epoll);

    void serve();
    int milliseconds_to_next_deadline() const;
    void accept_client();
    void try_to_connect();
    /// Takes its place, or says why not.
    std::optional<RemovalReason> admit(const PeerInfo &info, UniqueFd fd);
    void make_room();
    void handle_client(std::uint64_t id, std::uint32_t events);
    void tend_clients();
    void tell_encoder_request();
    void remove(Shared &shared, const Removal &removal);
    void report(const Removal &removal);
    static void note_progress(Client &client, MonotonicTime now);
    void await_writable(Client &client);
    bool watch(int operation, int fd, std::uint32_t events, std::uint64_t token);
    bool is_microphone() const { return config_.endpoint.direction == wire::Direction::microphone; }
    void say_goodbye(Shared &shared);

    Config config_;
    Observer &observer_;
    std::optional<ListeningSocket> socket_; // of a listening end
    UniqueFd epoll_;
    WakeEvent end_;
    WakeEvent look_; // the streaming thread saw a client that has to be tended

    // Service thread only.
    std::uint64_t next_id_ = 1;
    std::optional<MonotonicTime> accept_again_; // when accept() had to be given up
    Backoff backoff_;
    MonotonicTime next_try_{};                        // of a connecting end without a connection
    std::optional<wire::EncoderConfig> told_request_; // to the observer
    bool is_request_new_ = false;                     // somebody has said it, maybe again

    mutable Guarded<Shared> shared_; // never held while the observer is called
    std::thread service_;
};

} // namespace jkvm
