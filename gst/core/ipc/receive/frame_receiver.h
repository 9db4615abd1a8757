// SPDX-License-Identifier: LGPL-2.1-or-later
// Receives messages from one peer and waits for the next one after a disconnect.
#pragma once

#include "core/base/wait_control.h"
#include "core/ipc/receive/client_queue.h"
#include "core/ipc/socket/client_policy.h"
#include "core/ipc/socket/connect_schedule.h"
#include "core/ipc/socket/connection.h"
#include "core/ipc/socket/listening_socket.h"
#include "core/ipc/socket/newest_client.h"
#include "core/ipc/socket/reconnect_notice.h"
#include "core/ipc/socket/socket_watch.h"
#include "core/wire/decode.h"
#include "core/wire/parser.h"

#include <atomic>
#include <functional>
#include <memory>

namespace jkvm {

/// Controls a waiting receiver from other threads; outlives the receiver. interrupt() ends the
/// wait. request_restart() replaces the connection by a new one, which starts with a new frame,
/// because the messages sent before are outdated.
class ReceiverControl : public WaitControl {
public:
    /// Requests other encoder settings from the sender and from each later one, as soon as its
    /// dialect is known to have OpusConfig. Replaces an earlier request.
    void request_encoder(const wire::EncoderConfig &config);
    /// Ends the request: the sender returns to its own settings. `config`: an estimate of these,
    /// for a sender that cannot restore them.
    void withdraw_request(const wire::EncoderConfig &config);
    /// Requests settings from the sender and from each later one, if it has a side channel, instead
    /// of the above. Replaces an earlier request; an empty one withdraws it.
    void request_settings(const wire::SettingsRequest &request);
    /// Forgets the requests without telling the sender. To be called while there is no connection.
    void clear_requests() { *requests_.lock() = {}; }
    /// Ends one wait as if its deadline had passed, so that the caller can check its state.
    void end_wait()
    {
        is_wait_ended_ = true;
        request_wake_up();
    }

private:
    friend class FrameReceiver;
    /// For the dialect's OpusConfig.
    struct ConfigRequest {
        wire::EncoderConfig config;
        bool is_withdrawn = false;
        bool is_sent = false; // on this connection
    };
    struct Requests {
        std::optional<ConfigRequest> config;
        wire::SettingsRequest settings;  // for the side channel
        bool are_settings_sent = true;   // on this connection
        bool is_support_checked = false; // of the settings by this connection
    };
    void set_config_request(const ConfigRequest &request);
    Guarded<Requests> requests_;
    std::atomic<bool> is_wait_ended_{false};
};

/// Bound to the thread that calls wait().
///
/// A connecting end retries indefinitely, with pauses (ConnectSchedule). A listening end serves one
/// client at a time, which the client policy chooses.
class FrameReceiver {
public:
    struct Config {
        Endpoint endpoint;
        std::optional<wire::Dialect> dialect; ///< empty = recognised from the first message
        /// Interval between Heartbeats; 0 = none. The connection is closed if the peer sends
        /// neither a frame nor an Ack for `max_silent_intervals` of them.
        nanoseconds heartbeat_interval{0};
        ConnectSchedule::Config pauses;
        ClientPolicy policy = ClientPolicy::replace; ///< of a listening end; not `share`
        /// Decides on a client whose user is allowed. Called by wait().
        std::function<bool(const PeerInfo &)> may_connect = [](const PeerInfo &) { return true; };
    };

    static constexpr int max_silent_intervals = 3;
    /// Minimum interval between two Event::source_state.
    static constexpr nanoseconds min_state_interval = std::chrono::milliseconds(20);

    enum class Event {
        message,      ///< see message()
        source_state, ///< see source_state()
        connected,    ///< a connection was made
        unreachable,  ///< an attempt to connect failed; the next wait() retries after a pause
        rejected,     ///< a client, or a server of another user, was turned away
        restarted,    ///< the connection was closed on request; the next wait() makes a new one
        disconnected, ///< the connection ended; the next wait() waits for a new one
        timed_out,    ///< the deadline has passed, or the control has ended the wait
        interrupted,  ///< by the control
    };

    /// Errors: as ListeningSocket::open for a listening end, `path_unusable` for a connecting one.
    static Result<std::unique_ptr<FrameReceiver>> open(Config config, ReceiverControl &control);

    /// Blocks until an event, or until `deadline`.
    Event wait(MonotonicTime deadline = MonotonicTime::max());
    /// Valid after Event::message; its payload until the next wait().
    [[nodiscard]] const wire::Message &message() const { return message_; }
    /// Valid after Event::source_state.
    [[nodiscard]] const wire::SourceState &source_state() const { return source_state_; }
    /// The reason for Event::unreachable, rejected or disconnected.
    [[nodiscard]] const Error &error() const { return error_; }
    /// Why this end closed the connection after Event::rejected, or the reason
    /// in the peer's Stop after Event::disconnected.
    [[nodiscard]] std::optional<wire::CloseReason> close_reason() const { return close_reason_; }
    /// The peer of the current or last connection.
    [[nodiscard]] const PeerInfo &peer() const { return connection_.peer; }
    [[nodiscard]] BufferSizes buffers() const { return buffers_; }
    /// Amount of data that was unread in the socket at the last read (bytes).
    [[nodiscard]] int waiting() const { return waiting_; }
    /// Number of requests of which the peer, without a side channel, could not be sent every field
    /// in its dialect; a request counts once for each connection.
    [[nodiscard]] std::uint64_t unsupported_requests() const { return unsupported_requests_; }
    /// The peer's dialect, once it is known.
    [[nodiscard]] std::optional<wire::Dialect> dialect() const
    {
        return connection_.parser.dialect();
    }

private:
    FrameReceiver(Config config, std::optional<ListeningSocket> socket, ReceiverControl &control);

    // Each returns `interrupted` if the control is set, or the deadline has passed.
    Event wait_for_message();
    Event wait_for_client();
    Event wait_for_server();
    bool poll_descriptors();
    std::optional<Event> handle_input();
    bool is_past_deadline() const;
    bool is_peer_silent() const;
    Event lose_connection(Error error);
    Event reject(int fd, wire::CloseReason reason, std::string detail);
    std::optional<Event> admit(UniqueFd fd, const PeerInfo &info);
    bool serve_talking_client();
    wire::Parser make_parser() const;
    void adopt(PeerConnection connection);
    std::optional<Event> accept_client();
    bool may_accept() const;
    std::optional<Error> read_some();

    void acknowledge_message();
    [[nodiscard]] wire::Format own_format() const;
    void send_pending_requests();
    void send_by_side_channel(ReceiverControl::Requests &requests);
    void send_opus_config(ReceiverControl::Requests &requests);
    void check_support(ReceiverControl::Requests &requests);
    bool read_side_channel();
    bool send_control(wire::MessageType type, std::span<const std::byte> payload = {});
    int milliseconds_to_deadline();

    Config config_;
    std::optional<ListeningSocket> socket_; // of a listening end only
    ReceiverControl &control_;
    ConnectSchedule schedule_;         // of a connecting end
    SocketWatch watch_;                // armed while a connecting end has no connection
    NewestClient newest_;              // of a listening end
    ReconnectNotice reconnect_notice_; // of a listening end
    MonotonicTime deadline_ = MonotonicTime::max(); // of this wait()
    MonotonicTime next_heartbeat_{};
    int unanswered_heartbeats_ = 0; // since the last message
    bool has_unsent_request_ = false;
    MonotonicTime next_state_read_{};
    std::uint64_t unsupported_requests_ = 0;
    MonotonicTime accept_again_{}; // after accept() failed
    std::uint64_t next_id_ = 1;
    ClientQueue queue_; // with ClientPolicy::queue
    std::vector<pollfd> poll_entries_;
    PeerConnection connection_;      // without a descriptor: the last one
    bool is_config_pending_ = false; // received while the peer waited, not returned yet
    BufferSizes buffers_;
    int waiting_ = 0;
    std::optional<wire::Dialect> last_dialect_; // at the previous message
    wire::Message message_ = wire::Unknown{};
    wire::SourceState source_state_;
    std::optional<wire::CloseReason> close_reason_;
    Error error_{ErrorKind::peer_unreachable, {}, {}};
};

} // namespace jkvm
