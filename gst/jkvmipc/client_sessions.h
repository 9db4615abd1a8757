// SPDX-License-Identifier: LGPL-2.1-or-later
// Reports when a listening jkvmipcsink starts and stops sending audio to each of its clients.
#pragma once

#include "core/base/guarded.h"
#include "core/ipc/send/peer_table.h"
#include "session_messages.h"

#include <atomic>
#include <map>
#include <vector>

namespace jkvm {

/// A session starts with the first frame that is sent to the client, on the streaming thread, and
/// ends on the sender's service thread. Its messages are posted in this order, without a lock.
class ClientSessions {
public:
    explicit ClientSessions(GstElement *element) : messages_(element) {}

    /// A client was added to the sender. Service thread.
    void on_added(const PeerInfo &client);
    /// A client was removed, or turned away. Service thread.
    void on_removed(const PeerTable::Removal &removal);

    /// Returns the clients whose first frame is the one that is sent next. Streaming thread; cheap
    /// if there are none. post_started() has to follow.
    std::vector<PeerInfo> start_pending();
    /// `first_frame`: running time of the frame that has been sent.
    void post_started(const std::vector<PeerInfo> &clients, nanoseconds first_frame);

private:
    enum class State { pending, starting, started };
    struct Session {
        PeerInfo client;
        State state = State::pending;
        std::optional<PeerTable::Removal> end = {}; ///< to be posted after the start
    };

    void post_end(const PeerTable::Removal &removal);

    SessionMessages messages_;
    std::atomic<bool> has_pending_{false}; // written while sessions_ is locked
    Guarded<std::map<std::uint64_t, Session>> sessions_;
};

} // namespace jkvm
