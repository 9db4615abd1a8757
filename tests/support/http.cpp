// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/http.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>

namespace jkvm::testing {

UniqueFd http_connect(int port)
{
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address) != 0)
        return {};
    return fd;
}

bool http_send(int fd, const std::string &text)
{
    return ::send(fd, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
}

std::string http_receive(int fd)
{
    std::string response;
    std::array<char, 4096> part{};
    for (;;) {
        const auto count = ::recv(fd, part.data(), part.size(), 0);
        if (count <= 0)
            return response;
        response.append(part.data(), static_cast<std::size_t>(count));
    }
}

std::string http_get(int port, const std::string &path)
{
    const auto fd = http_connect(port);
    // In HTTP/1.0 the server closes the connection at the end of the response.
    if (!fd || !http_send(fd.get(), "GET " + path + " HTTP/1.0\r\nHost: localhost\r\n\r\n"))
        return {};
    const auto response = http_receive(fd.get());
    const auto body = response.find("\r\n\r\n");
    const bool is_ok = response.substr(0, response.find('\r')).find(" 200 ") != std::string::npos;
    return is_ok && body != std::string::npos ? response.substr(body + 4) : std::string();
}

} // namespace jkvm::testing
