// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/supervise/control_connection.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace jkvm {

namespace {

constexpr std::size_t header_size = 2; // version and kind

bool set_nonblocking(int fd)
{
    return ::fcntl(fd, F_SETFL, O_NONBLOCK) == 0;
}

} // namespace

std::optional<std::string> encode(const ControlMessage &message)
{
    std::string packet{static_cast<char>(ControlConnection::version),
                       static_cast<char>(message.kind)};
    for (const auto &field : message.fields) {
        packet += field;
        packet += '\0';
    }
    return packet.size() <= ControlConnection::max_size ? std::optional(std::move(packet))
                                                        : std::nullopt;
}

std::optional<ControlMessage> decode_control(std::string_view packet)
{
    if (packet.size() < header_size ||
        static_cast<std::uint8_t>(packet[0]) != ControlConnection::version)
        return std::nullopt;
    ControlMessage message{.kind = static_cast<std::uint8_t>(packet[1])};
    packet.remove_prefix(header_size);
    while (!packet.empty()) {
        const auto end = packet.find('\0');
        if (end == std::string_view::npos)
            return std::nullopt;
        message.fields.emplace_back(packet.substr(0, end));
        packet.remove_prefix(end + 1);
    }
    return message;
}

std::optional<ControlConnection::Pair> ControlConnection::make_pair()
{
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
        return std::nullopt;
    Pair pair{UniqueFd(ends[0]), UniqueFd(ends[1])};
    return set_nonblocking(pair.parent.get()) ? std::optional(std::move(pair)) : std::nullopt;
}

void ControlConnection::open(UniqueFd fd)
{
    fd_ = std::move(fd);
    const bool is_open = fd_ && set_nonblocking(fd_.get());
    auto outbox = outbox_.lock();
    *outbox = {};
    outbox->is_open = is_open;
}

void ControlConnection::close()
{
    fd_.reset();
    *outbox_.lock() = {};
}

bool ControlConnection::send(const ControlMessage &message, const std::string &key)
{
    auto packet = encode(message);
    if (!packet)
        return false;
    auto outbox = outbox_.lock();
    if (!outbox->is_open)
        return false;
    auto &queue = outbox->queue;
    if (key.empty()) {
        if (outbox->without_key == max_queued)
            return false;
        ++outbox->without_key;
    } else if (const auto same = std::ranges::find(queue, key, &Queued::key); same != queue.end()) {
        same->packet = std::move(*packet);
        return true;
    }
    queue.push_back({std::move(*packet), key});
    queued_.set();
    return true;
}

bool ControlConnection::flush()
{
    queued_.clear();
    auto outbox = outbox_.lock();
    auto &queue = outbox->queue;
    while (!queue.empty()) {
        const auto &packet = queue.front().packet;
        if (::send(fd_.get(), packet.data(), packet.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
            if (errno == EINTR)
                continue;
            if (errno == EAGAIN || errno == ENOBUFS)
                return false;
            *outbox = {}; // the peer has closed its end
            return true;
        }
        outbox->without_key -= queue.front().key.empty() ? 1 : 0;
        queue.pop_front();
    }
    return true;
}

ControlConnection::Received ControlConnection::receive(ControlMessage &message)
{
    std::array<char, max_size> space;
    ssize_t size = 0;
    do {
        // With MSG_TRUNC the size of a packet that is too large is returned.
        size = ::recv(fd_.get(), space.data(), space.size(), MSG_DONTWAIT | MSG_TRUNC);
    } while (size < 0 && errno == EINTR);
    if (size < 0)
        return errno == EAGAIN ? Received::nothing : Received::closed;
    if (size == 0)
        return Received::closed;
    if (static_cast<std::size_t>(size) > space.size())
        return Received::invalid;
    auto decoded = decode_control({space.data(), static_cast<std::size_t>(size)});
    if (!decoded)
        return Received::invalid;
    message = std::move(*decoded);
    return Received::message;
}

} // namespace jkvm
