// SPDX-License-Identifier: LGPL-2.1-or-later
// A connection of a receiver and the state of its peer.
#pragma once

#include "core/base/unique_fd.h"
#include "core/ipc/socket/endpoint.h"
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
