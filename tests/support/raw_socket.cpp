// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/raw_socket.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <ctime>

namespace jkvm::testing {

namespace {

sockaddr_un address_of(const std::string &path)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    return address;
}

bool is_readable_in_time(int fd)
{
    pollfd entry{fd, POLLIN, 0};
    return ::poll(&entry, 1, static_cast<int>(std::chrono::milliseconds(wait_timeout).count())) ==
           1;
}

} // namespace

std::int64_t wall_clock_ns()
{
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return std::int64_t{1'000'000'000} * now.tv_sec + now.tv_nsec;
}

UniqueFd connect_to(const std::string &path)
{
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto address = address_of(path);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address) != 0)
        fd.reset();
    return fd;
}

UniqueFd listen_at(const std::string &path)
{
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto address = address_of(path);
    if (::bind(fd.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address) != 0 ||
        ::listen(fd.get(), 8) != 0)
        fd.reset();
    return fd;
}

UniqueFd accept_from(int listener)
{
    if (!is_readable_in_time(listener))
        return {};
    return UniqueFd(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
}

void send_all(int fd, std::span<const std::uint8_t> bytes)
{
    while (!bytes.empty()) {
        const auto sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        bytes = bytes.subspan(static_cast<std::size_t>(sent));
    }
}

std::vector<std::uint8_t> receive(int fd, std::size_t count)
{
    std::vector<std::uint8_t> bytes(count);
    std::size_t got = 0;
    while (got < count && is_readable_in_time(fd)) {
        const auto received = ::recv(fd, bytes.data() + got, count - got, 0);
        if (received <= 0)
            break;
        got += static_cast<std::size_t>(received);
    }
    bytes.resize(got);
    return bytes;
}

bool is_closed_by_peer(int fd)
{
    std::array<std::uint8_t, 4096> discarded{};
    // The deadline also applies to a peer that keeps sending.
    const auto deadline = std::chrono::steady_clock::now() + wait_timeout;
    while (std::chrono::steady_clock::now() < deadline && is_readable_in_time(fd)) {
        if (::recv(fd, discarded.data(), discarded.size(), 0) <= 0)
            return true;
    }
    return false;
}

std::vector<std::uint8_t> message_v1(const std::string &magic_on_the_wire, std::uint8_t type,
                                     std::int64_t timestamp_ns,
                                     std::span<const std::uint8_t> payload)
{
    std::vector<std::uint8_t> bytes;
    for (const char letter : magic_on_the_wire)
        bytes.push_back(static_cast<std::uint8_t>(letter));
    bytes.push_back(type);
    for (unsigned i = 0; i < 4; ++i)
        bytes.push_back(static_cast<std::uint8_t>(payload.size() >> (8 * i)));
    const auto timestamp = static_cast<std::uint64_t>(timestamp_ns);
    for (unsigned i = 0; i < 8; ++i)
        bytes.push_back(static_cast<std::uint8_t>(timestamp >> (8 * i)));
    for (const auto byte : payload)
        bytes.push_back(byte);
    return bytes;
}

} // namespace jkvm::testing
