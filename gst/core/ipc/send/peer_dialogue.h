// SPDX-License-Identifier: LGPL-2.1-or-later
// Exchanges the control messages between a sender and one of its peers.
#pragma once

#include "core/base/result.h"
#include "core/ipc/send/peer.h"
#include "core/wire/decode.h"
#include "core/wire/parser.h"

#include <optional>

namespace jkvm {

/// The sender's side of the protocol on one connection. Not thread-safe: like the Peer, it belongs
/// to a sender that holds its lock.
class PeerDialogue {
public:
    struct ReadResult {
        bool has_message = false; ///< at least one message of any type was read
        /// The last request, and whether an earlier one was withdrawn before it.
        std::optional<wire::EncoderConfig> encoder_request;
        bool has_withdrawn_request = false;
        bool has_stopped = false; ///< a Stop was read
        /// The reason in the peer's Stop, if it has one.
        std::optional<wire::CloseReason> close_reason;
        /// `peer_gone` or `protocol_violation`: the connection is over.
        std::optional<Error> end;
    };

    /// `format`: of the messages that this end sends.
    explicit PeerDialogue(wire::Format format);

    /// Sends a control message; does nothing if the dialect does not have it. Returns false if the
    /// connection is broken.
    bool send_control(Peer &peer, wire::MessageType type, std::span<const std::byte> payload) const;
    /// Reads once, without blocking, and answers the messages that require an answer.
    ReadResult receive(Peer &peer);

private:
    void handle(const wire::Message &message, Peer &peer, ReadResult &result) const;

    wire::Format format_;
    wire::Parser parser_;
};

} // namespace jkvm
