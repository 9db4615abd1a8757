// SPDX-License-Identifier: LGPL-2.1-or-later
// Receives frames from one peer, and waits for the next one when it is gone: the engine of
// jkvmipcsrc.
#pragma once

#include "core/base/backoff.h"
#include "core/base/wait_control.h"
#include "core/ipc/socket/connection.h"
#include "core/ipc/socket/listening_socket.h"
#include "core/wire/decode.h"
#include "core/wire/parser.h"

#include <functional>
#include <memory>

namespace jkvm {

/// How other threads reach a receiver that waits; it outlives the receiver. interrupt() ends the
/// wait. request_restart() makes it give the connection up, because what was sent by then is not
/// wanted; the next one starts with a new frame.
class ReceiverControl : public WaitControl {
public:
    /// Asks the sender to encode in another way, as soon as there is one whose dialect has that
    /// message, and each one that comes after it. A newer request takes the place of an older one.
    void request_encoder(const wire::EncoderConfig &config);
    /// Nothing is asked for any more: the sender goes back to its own settings. `config`: what
    /// these are believed to be, for a sender that does not know them.
    void withdraw_request(const wire::EncoderConfig &config);

private:
    friend class FrameReceiver;
    struct EncoderRequest {
        wire::EncoderConfig config;
        bool is_withdrawn = false;
        bool is_said = false; // on this connection
    };
    void ask(const EncoderRequest &request);
    Guarded<std::optional<EncoderRequest>> encoder_request_;
};

/// Thread-bound to the one that calls wait().
///
/// A connecting end tries for ever, with pauses. A listening end has one connection, the newest.
class FrameReceiver {
public:
    struct Config {
        Endpoint endpoint;
        std::optional<wire::Dialect> dialect; ///< nothing = recognised from the first message
        /// How often a Heartbeat is sent; 0 = never. A peer from which nothing came since the last
        /// `silent_intervals` of them, no frame and no Ack either, is given up.
        nanoseconds heartbeat_interval{0};
        nanoseconds first_pause = std::chrono::milliseconds(50);
        nanoseconds longest_pause = std::chrono::seconds(2);
        std::uint32_t seed = 1; ///< of the jitter of the pauses
        /// Whether a client of an allowed user may come in. Called by wait().
        std::function<bool(const PeerInfo &)> may_connect = [](const PeerInfo &) { return true; };
    };

    static constexpr int silent_intervals = 3;

    enum class Event {
        message,      ///< message() has it
        connected,    ///< a connection is there
        unreachable,  ///< one try failed; the next wait() goes on trying after a pause
        refused,      ///< somebody came who may not; the next wait() goes on
        restarted,    ///< the connection was given up, as the control asked; wait() makes a new one
        disconnected, ///< the connection is gone; the next wait() waits for a new one
        timed_out,    ///< the deadline has passed and there is nothing else to tell
        interrupted,  ///< the control says so
    };

    /// Errors: as ListeningSocket::open for a listening end, `path_unusable` for a connecting one.
    static Result<std::unique_ptr<FrameReceiver>> open(Config config, ReceiverControl &control);

    /// Blocks until one of the events, at most until `deadline`.
    Event wait(MonotonicTime deadline = MonotonicTime::max());
    /// After Event::message; the payload is valid until the next wait().
    [[nodiscard]] const wire::Message &message() const { return message_; }
    /// After Event::unreachable, refused and disconnected: why.
    [[nodiscard]] const Error &error() const { return error_; }
    /// Of the connection that is there, or was last.
    [[nodiscard]] const PeerInfo &peer() const { return peer_; }
    [[nodiscard]] BufferSizes buffers() const { return buffers_; }
    /// What waited in the kernel when it was read last, bytes.
    [[nodiscard]] int waited() const { return waited_; }
    /// That the peer speaks, once it is known.
    [[nodiscard]] std::optional<wire::Dialect> dialect() const { return parser_.dialect(); }

private:
    FrameReceiver(Config config, std::optional<ListeningSocket> socket, ReceiverControl &control);

    // Each returns `interrupted` when there is something to do outside of it.
    Event wait_for_message();
    Event wait_for_client();
    Event wait_for_server();
    bool is_past_deadline() const;
    bool is_peer_silent() const;
    Event lose_connection(Error error);
    void adopt(UniqueFd connection);
    std::optional<Event> accept_client();
    bool may_accept() const;
    std::optional<Error> read_some();

    /// What this message is answered with, on the microphone path.
    void answer();
    void handle_wake_up();
    bool send_control(wire::MessageType type, std::span<const std::byte> payload);
    int milliseconds_to_deadline();

    Config config_;
    std::optional<ListeningSocket> socket_; // of a listening end
    ReceiverControl &control_;
    Backoff backoff_;
    MonotonicTime deadline_ = MonotonicTime::max(); // of this wait()
    MonotonicTime next_try_{};
    MonotonicTime next_heartbeat_{};
    int unanswered_heartbeats_ = 0; // nothing came since
    bool has_unsent_request_ = false;
    MonotonicTime accept_again_{}; // after accept() had to be given up
    UniqueFd connection_;
    PeerInfo peer_;
    BufferSizes buffers_;
    int waited_ = 0;
    wire::Parser parser_;
    std::optional<wire::Dialect> dialect_then_; // before the last message
    wire::Message message_ = wire::Unknown{};
    Error error_{ErrorKind::peer_unreachable, {}, {}};
};

} // namespace jkvm
