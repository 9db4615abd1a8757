// SPDX-License-Identifier: LGPL-2.1-or-later
// Sends frames to every connected peer without ever blocking: the engine of jkvmipcsink.
#pragma once

#include "core/base/guarded.h"
#include "core/base/wake_event.h"
#include "core/ipc/send/event_poll.h"
#include "core/ipc/send/peer_table.h"
#include "core/ipc/socket/client_policy.h"
#include "core/ipc/socket/connect_schedule.h"
#include "core/ipc/socket/listening_socket.h"
#include "core/ipc/socket/newest_client.h"
#include "core/ipc/socket/reconnect_notice.h"
#include "core/ipc/socket/socket_watch.h"

#include <memory>
#include <thread>

namespace jkvm {

/// Uses two threads: the caller's, which sends, and a service thread, which accepts or connects,
/// reads from the peers and finishes the writes that the kernel did not accept at once.
class FrameSender {
public:
    struct Config {
        Endpoint endpoint;
        wire::Dialect dialect = wire::Dialect::v1;
        nanoseconds max_queue_time = default_max_queue_time; ///< of each peer
        /// Duration of the frames that are held until the connection is established; on the
        /// microphone path, if this end connects.
        nanoseconds hold_time = std::chrono::milliseconds(200);
        std::size_t max_clients = 8;               ///< of a listening end
        ClientPolicy policy = ClientPolicy::share; ///< of a listening end
        ConnectSchedule::Config pauses;            ///< of a connecting end
        /// Users of the peers whose encoder requests count; empty = all.
        std::vector<uid_t> steering_uids = {};
    };
    using Stats = SenderStats;

    /// Called from the service thread, and from stop(), with no lock held. Must not call stop(),
    /// which waits for the service thread.
    class Observer {
    public:
        virtual ~Observer() = default;
        /// Whether to admit a client whose user is one of the endpoint's allowed ones.
        virtual bool may_connect(const PeerInfo &peer) = 0;
        virtual void on_peer_added(const PeerInfo &peer) = 0;
        /// Also called for a client that is turned away.
        virtual void on_peer_removed(const PeerTable::Removal &removal) = 0;
        /// A connecting end: an attempt failed; the next one follows after a pause.
        virtual void on_peer_unreachable(const Error &error) = 0;
        /// The connected peers' requests for encoder settings changed. `request` combines them
        /// (combine_requests); nothing if no peer requests anything any more.
        virtual void on_encoder_request(const std::optional<wire::SettingsRequest> &request) = 0;
    };

    /// Errors: as ListeningSocket::open for a listening end, `path_unusable` for a connecting one,
    /// and `out_of_resources`. The observer outlives the sender.
    static Result<std::unique_ptr<FrameSender>> start(const Config &config, Observer &observer);
    FrameSender(const FrameSender &) = delete;
    FrameSender &operator=(const FrameSender &) = delete;
    ~FrameSender();

    /// Sends one packet to every peer. Never blocks and never fails: the service thread deals with
    /// a broken connection. `captured`: capture time of the packet's first sample. Returns the
    /// number of frames that peers lost because too much was queued for them.
    unsigned send(std::span<const std::byte> packet, WallTime captured, nanoseconds duration);
    /// Sets the format of the frames that follow. On the microphone path it is announced to the
    /// peers, now and when they connect.
    void set_stream(const wire::StreamConfig &stream);
    /// Sets the state of the source, which is sent to the peers that have a side channel, together
    /// with the number of peers: at each change, and when they connect.
    void set_source_state(const wire::SourceState &state);

    [[nodiscard]] Stats stats() const;
    /// Writes queued messages for at most 100 ms and closes all connections. send() must not be
    /// called any more. Returns the final statistics.
    Stats stop();

private:
    using Removal = PeerTable::Removal;

    FrameSender(Config config, Observer &observer, std::optional<ListeningSocket> socket);
    bool watch_descriptors();

    // The service thread.
    void serve();
    [[nodiscard]] std::optional<MonotonicTime> next_deadline() const;
    void accept_client();
    void try_to_connect();
    bool watch_for_server();
    void stop_watching();
    std::optional<RemovalReason> admit(const PeerInfo &info, UniqueFd &connection);
    void replace_peers(const PeerInfo &newest);
    void handle_peer(std::uint64_t token, std::uint32_t events);
    void service_peers();
    void report_encoder_request();
    void remove(PeerTable &peers, const Removal &removal);
    void report(const Removal &removal);

    Config config_;
    Observer &observer_;
    std::optional<ListeningSocket> socket_; // of a listening end
    EventPoll poll_;
    WakeEvent end_;
    WakeEvent service_request_; // set by the streaming thread if service_peers() has to run

    // Service thread only.
    std::uint64_t next_id_ = 1;
    std::optional<MonotonicTime> accept_again_; // after accept() failed for lack of descriptors
    ConnectSchedule schedule_;                  // of a connecting end
    SocketWatch watch_;                         // armed while a connecting end has no connection
    NewestClient newest_;                       // with ClientPolicy::replace
    ReconnectNotice reconnect_notice_;          // of a listening end
    std::optional<wire::SettingsRequest> reported_request_;
    bool has_new_request_ = false; // received since the last report, even if it is the same

    mutable Guarded<PeerTable> peers_; // never held while the observer is called
    std::thread service_;
};

} // namespace jkvm
