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
    /// Forgets the request without telling the sender. To be called while there is no connection.
    void clear_request() { encoder_request_.lock()->reset(); }

private:
    friend class FrameReceiver;
    struct EncoderRequest {
        wire::EncoderConfig config;
        bool is_withdrawn = false;
        bool is_sent = false;        // on this connection
        bool is_unsupported = false; // by the peer's dialect
    };
    void set_request(const EncoderRequest &request);
    Guarded<std::optional<EncoderRequest>> encoder_request_;
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

    enum class Event {
        message,      ///< see message()
        connected,    ///< a connection was made
        unreachable,  ///< an attempt to connect failed; the next wait() retries after a pause
        rejected,     ///< a client, or a server of another user, was turned away
        restarted,    ///< the connection was closed on request; the next wait() makes a new one
        disconnected, ///< the connection ended; the next wait() waits for a new one
        timed_out,    ///< the deadline has passed
        interrupted,  ///< by the control
    };

    /// Errors: as ListeningSocket::open for a listening end, `path_unusable` for a connecting one.
    static Result<std::unique_ptr<FrameReceiver>> open(Config config, ReceiverControl &control);

    /// Blocks until an event, or until `deadline`.
    Event wait(MonotonicTime deadline = MonotonicTime::max());
    /// Valid after Event::message; its payload until the next wait().
    [[nodiscard]] const wire::Message &message() const { return message_; }
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
    /// Number of encoder requests that a peer's dialect could not carry; a request counts once for
    /// each connection.
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
    void send_pending_request();
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
    std::optional<wire::CloseReason> close_reason_;
    Error error_{ErrorKind::peer_unreachable, {}, {}};
};

} // namespace jkvm
