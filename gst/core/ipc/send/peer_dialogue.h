// SPDX-License-Identifier: LGPL-2.1-or-later
// What a sender and one of its peers say to each other beside the frames.
#pragma once

#include "core/base/result.h"
#include "core/ipc/send/peer.h"
#include "core/wire/decode.h"
#include "core/wire/parser.h"

#include <optional>

namespace jkvm {

/// The sender's part of the protocol on one connection. Not thread-safe: as the Peer, it belongs to
/// a sender that holds its lock.
class PeerDialogue {
public:
    struct ReadResult {
        bool has_message = false; ///< any at all
        /// The last one, and whether one from before was withdrawn ahead of it.
        std::optional<wire::EncoderConfig> encoder_request;
        bool has_withdrawn_request = false;
        /// `peer_gone` or `protocol_violation`: the connection is over.
        std::optional<Error> end;
    };

    /// `format`: that of our own messages.
    explicit PeerDialogue(wire::Format format);

    /// Sends a control message, if the dialect has it. False: the connection is broken.
    bool say(Peer &peer, wire::MessageType type, std::span<const std::byte> payload) const;
    /// Reads once, never waiting, and answers what is to be answered.
    ReadResult listen(Peer &peer);

private:
    void handle(const wire::Message &message, Peer &peer, ReadResult &result) const;

    wire::Format format_;
    wire::Parser parser_;
};

} // namespace jkvm
