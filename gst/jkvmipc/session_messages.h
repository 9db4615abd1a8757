// SPDX-License-Identifier: LGPL-2.1-or-later
// The element message jkvm-session, by which a listening element reports its clients' sessions.
#pragma once

#include "common/element_message.h"
#include "core/ipc/socket/endpoint.h"

namespace jkvm {

/// Thread-safe; must be called without a lock.
class SessionMessages {
public:
    explicit SessionMessages(GstElement *element) : messages_(element, "jkvm-session") {}

    /// `first_frame`: running time of the first frame from or to the client.
    void on_started(const PeerInfo &client, nanoseconds first_frame);
    /// The client sent a Stop.
    void on_stopped(const PeerInfo &client);
    /// The connection ended without a Stop.
    void on_lost(const PeerInfo &client);
    void on_replaced(const PeerInfo &client, const PeerInfo &by);

private:
    ElementMessages messages_;
};

} // namespace jkvm
