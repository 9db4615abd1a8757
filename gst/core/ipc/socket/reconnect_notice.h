// SPDX-License-Identifier: LGPL-2.1-or-later
// Notifies clients that were turned away when they may connect again.
#pragma once

#include "core/base/rate_limit.h"
#include "core/ipc/socket/listening_socket.h"

namespace jkvm {

/// A client that is turned away waits longer after each attempt. The notice ends that wait. At most
/// one per second is sent, so that it does not defeat the pauses of clients that are disconnected
/// immediately. Thread-bound.
class ReconnectNotice {
public:
    /// A client was turned away because another one is served.
    void on_turned_away() { is_pending_ = true; }
    /// The connection of a served client ended. `socket`: at which the clients connect.
    void on_disconnected(const ListeningSocket &socket, MonotonicTime now)
    {
        if (!is_pending_ || !limit_.admit(now))
            return;
        is_pending_ = false;
        socket.announce();
    }

private:
    bool is_pending_ = false;
    RateLimit limit_{std::chrono::seconds(1)};
};

} // namespace jkvm
