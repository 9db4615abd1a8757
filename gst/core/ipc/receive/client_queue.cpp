// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/receive/client_queue.h"

#include "core/ipc/socket/connection.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace jkvm {

void ClientQueue::add_to_poll(std::vector<pollfd> &entries) const
{
    for (const auto &client : clients_)
        entries.push_back({client.fd.get(), POLLIN, 0});
}

void ClientQueue::read(wire::Direction direction)
{
    std::erase_if(clients_, [&](PeerConnection &client) { return !read_from(client, direction); });
}

bool ClientQueue::read_from(PeerConnection &client, wire::Direction direction)
{
    auto &parser = client.parser;
    const auto count = client.receive();
    if (count < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    if (count == 0)
        return false;
    wire::RawMessage raw;
    auto outcome = parser.next(raw);
    for (; outcome == wire::Parser::Outcome::message; outcome = parser.next(raw)) {
        const auto message = wire::decode(raw);
        client.on_message(message);
        // Without room in the socket the Ack is dropped.
        if (direction == wire::Direction::microphone && wire::requires_ack(message))
            send_message(client.fd.get(), {direction, parser.dialect().value_or(wire::Dialect::v1)},
                         wire::MessageType::ack);
    }
    return outcome != wire::Parser::Outcome::violation;
}

std::optional<PeerConnection> ClientQueue::take_talking()
{
    return take(std::ranges::find_if(clients_, &PeerConnection::is_talking));
}

std::optional<PeerConnection> ClientQueue::take_next()
{
    if (auto talking = take_talking())
        return talking;
    return take(clients_.begin());
}

std::optional<PeerConnection> ClientQueue::take(
    const std::deque<PeerConnection>::iterator &position)
{
    if (position == clients_.end())
        return std::nullopt;
    std::optional<PeerConnection> client(std::move(*position));
    clients_.erase(position);
    return client;
}

} // namespace jkvm
