// SPDX-License-Identifier: LGPL-2.1-or-later
// Clients of a receiver that are connected, but wait until the served client has left or stopped.
#pragma once

#include "core/ipc/receive/peer_connection.h"

#include <poll.h>

#include <deque>
#include <optional>
#include <vector>

namespace jkvm {

/// Reads and answers the messages of the waiting clients, so that their senders do not stall, and
/// drops their frames. Thread-bound.
class ClientQueue {
public:
    /// Every waiting client occupies a descriptor and the memory of a parser.
    static constexpr std::size_t max_clients = 16;

    [[nodiscard]] bool is_full() const { return clients_.size() >= max_clients; }
    /// Adds a client at the end of the queue.
    void add(PeerConnection client) { clients_.push_back(std::move(client)); }
    /// Disconnects all clients.
    void clear() { clients_.clear(); }

    /// Adds an entry for each client.
    void add_to_poll(std::vector<pollfd> &entries) const;
    /// Reads from each client once, without blocking. Disconnects those that have left or violate
    /// the protocol.
    void read(wire::Direction direction);

    /// Removes and returns the first client that is talking, if there is one.
    std::optional<PeerConnection> take_talking();
    /// Removes and returns the first client that is talking, or else the first one.
    std::optional<PeerConnection> take_next();

private:
    /// False: the client has to be disconnected.
    static bool read_from(PeerConnection &client, wire::Direction direction);
    std::optional<PeerConnection> take(const std::deque<PeerConnection>::iterator &position);

    std::deque<PeerConnection> clients_;
};

} // namespace jkvm
