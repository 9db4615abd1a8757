// SPDX-License-Identifier: LGPL-2.1-or-later
#include "listen_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cerrno>
#include <charconv>
#include <cstring>

namespace jkvm {

namespace {

std::optional<std::uint16_t> parse_port(const std::string &text)
{
    std::uint16_t port = 0;
    const char *end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, port);
    if (error != std::errc() || rest != end)
        return std::nullopt;
    return port;
}

template <typename Address>
socklen_t store(const Address &address, sockaddr_storage &storage)
{
    std::memcpy(&storage, &address, sizeof address);
    return sizeof address;
}

} // namespace

std::optional<ListenAddress> ListenAddress::parse(const std::string &text)
{
    const auto colon = text.rfind(':');
    if (colon == std::string::npos)
        return std::nullopt;
    const auto port = parse_port(text.substr(colon + 1));
    if (!port)
        return std::nullopt;
    const auto host = text.substr(0, colon);
    ListenAddress result(text);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
        sockaddr_in6 address{};
        address.sin6_family = AF_INET6;
        address.sin6_port = htons(*port);
        const auto name = host.substr(1, host.size() - 2);
        if (::inet_pton(AF_INET6, name.c_str(), &address.sin6_addr) != 1)
            return std::nullopt;
        result.size_ = store(address, result.address_);
    } else {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(*port);
        if (::inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1)
            return std::nullopt;
        result.size_ = store(address, result.address_);
    }
    return result;
}

bool ListenAddress::is_loopback() const
{
    if (address_.ss_family == AF_INET6) {
        sockaddr_in6 address;
        std::memcpy(&address, &address_, sizeof address);
        return IN6_IS_ADDR_LOOPBACK(&address.sin6_addr) != 0;
    }
    sockaddr_in address;
    std::memcpy(&address, &address_, sizeof address);
    return ntohl(address.sin_addr.s_addr) >> 24U == IN_LOOPBACKNET;
}

Result<UniqueFd> ListenAddress::listen() const
{
    const auto failed = [this](const char *call) {
        return system_error(ErrorKind::path_unusable, text_, call, errno);
    };
    UniqueFd fd(::socket(address_.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd)
        return failed("socket");
    // Connections of an earlier process in TIME_WAIT do not block the port.
    const int yes = 1;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (::bind(fd.get(), reinterpret_cast<const sockaddr *>(&address_), size_) != 0)
        return failed("bind");
    if (::listen(fd.get(), SOMAXCONN) != 0)
        return failed("listen");
    return fd;
}

std::uint16_t port_of(int socket)
{
    sockaddr_in6 address{}; // large enough for IPv4, whose port is in the same place
    socklen_t size = sizeof address;
    ::getsockname(socket, reinterpret_cast<sockaddr *>(&address), &size);
    return ntohs(address.sin6_port);
}

} // namespace jkvm
