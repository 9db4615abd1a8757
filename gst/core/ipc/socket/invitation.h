// SPDX-License-Identifier: LGPL-2.1-or-later
// Invites clients that were turned away to connect again when there is room for them.
#pragma once

#include "core/base/rate_limit.h"
#include "core/ipc/socket/listening_socket.h"

namespace jkvm {

/// A client that is turned away waits longer after each attempt. The invitation ends that wait. At
/// most one per second is made, so that it does not defeat the pauses of clients that are
/// disconnected immediately. Thread-bound.
class Invitation {
public:
    /// A client was turned away because another one is served.
    void on_turned_away() { is_awaited_ = true; }
    /// The connection of a served client ended. `socket`: at which the clients connect.
    void on_disconnected(const ListeningSocket &socket, MonotonicTime now)
    {
        if (!is_awaited_ || !limit_.admit(now))
            return;
        is_awaited_ = false;
        socket.announce();
    }

private:
    bool is_awaited_ = false;
    RateLimit limit_{std::chrono::seconds(1)};
};

} // namespace jkvm
