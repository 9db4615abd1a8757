// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/receive/client_queue.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace jkvm {

namespace {

/// Whether the message requires an Ack, on the microphone path.
bool requires_ack(const wire::Message &message)
{
    return std::holds_alternative<wire::Config>(message) ||
           std::holds_alternative<wire::OpusConfig>(message) ||
           std::holds_alternative<wire::Heartbeat>(message);
}

/// Drops the Ack if the socket has no room for it. Such a small write is atomic.
void send_ack(int fd, wire::Format format)
{
    const auto code = wire::type_code(format.dialect, wire::MessageType::ack);
    const wire::HeaderBytes header(
        format, {.type_code = code.value_or(0), .length = 0, .timestamp = wall_now()});
    ::send(fd, header.bytes().data(), header.bytes().size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

} // namespace

void ClientQueue::add_to_poll(std::vector<pollfd> &entries) const
{
    for (const auto &client : clients_)
        entries.push_back({client.connection.get(), POLLIN, 0});
}

void ClientQueue::read(wire::Direction direction)
{
    std::erase_if(clients_, [&](Client &client) { return !read_from(client, direction); });
}

bool ClientQueue::read_from(Client &client, wire::Direction direction)
{
    auto &parser = client.parser;
    const auto space = parser.space();
    const auto count = ::recv(client.connection.get(), space.data(), space.size(), MSG_DONTWAIT);
    if (count < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    if (count == 0)
        return false;
    parser.commit(static_cast<std::size_t>(count));
    wire::RawMessage raw;
    auto outcome = parser.next(raw);
    for (; outcome == wire::Parser::Outcome::message; outcome = parser.next(raw)) {
        const auto message = wire::decode(raw);
        if (const auto *config = std::get_if<wire::Config>(&message))
            client.config = *config;
        else if (std::holds_alternative<wire::OpusFrame>(message))
            client.is_talking = true;
        else if (std::holds_alternative<wire::Stop>(message))
            client.is_talking = false;
        if (direction == wire::Direction::microphone && requires_ack(message))
            send_ack(client.connection.get(),
                     {direction, parser.dialect().value_or(wire::Dialect::v1)});
    }
    return outcome != wire::Parser::Outcome::violation;
}

std::optional<ClientQueue::Client> ClientQueue::take_talking()
{
    return take(std::ranges::find_if(clients_, &Client::is_talking));
}

std::optional<ClientQueue::Client> ClientQueue::take_next()
{
    if (auto talking = take_talking())
        return talking;
    return take(clients_.begin());
}

std::optional<ClientQueue::Client> ClientQueue::take(const std::deque<Client>::iterator &position)
{
    if (position == clients_.end())
        return std::nullopt;
    std::optional<Client> client(std::move(*position));
    clients_.erase(position);
    return client;
}

} // namespace jkvm
