// SPDX-License-Identifier: LGPL-2.1-or-later
// A connection of a receiver and the state of its peer.
#pragma once

#include "core/base/unique_fd.h"
#include "core/ipc/socket/endpoint.h"
#include "core/ipc/socket/side_channel.h"
#include "core/wire/decode.h"
#include "core/wire/parser.h"

#include <optional>

namespace jkvm {

struct PeerConnection {
    UniqueFd fd; ///< empty after a disconnect
    PeerInfo peer;
    wire::Parser parser;
    std::optional<wire::Config> config = {}; ///< the last one that the peer sent
    bool is_talking = false;                 ///< the peer sent a frame, and no Stop after it
    bool has_received = false;               ///< any byte
    /// Exists as soon as the peer, which is then a jkvm element, has sent its first byte.
    std::optional<SideChannel> side_channel = {};
    bool had_side_channel = false;
    bool has_requested = false; ///< this end has sent a request by the side channel

    /// Reads into the parser's space without blocking. Returns the number of bytes, 0 at the end of
    /// the connection, or -1 with errno set.
    ssize_t receive()
    {
        const auto size = receive_with_side_channel(fd.get(), parser.space(), side_channel);
        if (size > 0) {
            parser.commit(static_cast<std::size_t>(size));
            has_received = true;
            had_side_channel |= side_channel.has_value();
        }
        return size;
    }

    /// Updates the peer's state.
    void on_message(const wire::Message &message)
    {
        if (const auto *announced = std::get_if<wire::Config>(&message))
            config = *announced;
        else if (std::holds_alternative<wire::OpusFrame>(message))
            is_talking = true;
        else if (std::holds_alternative<wire::Stop>(message))
            is_talking = false;
    }
};

} // namespace jkvm
