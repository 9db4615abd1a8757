// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/socket/connection.h"

#include "core/ipc/socket/socket_address.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace jkvm {

Result<UniqueFd> connect_to(const Endpoint &endpoint)
{
    const auto &path = endpoint.path;
    auto address = SocketAddress::from_path(path);
    if (!address)
        return address.error();
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd)
        return system_error(ErrorKind::out_of_resources, path, "socket", errno);
    if (::connect(fd.get(), address->get(), address->size()) != 0)
        return system_error(ErrorKind::peer_unreachable, path, "connect", errno);
    return fd;
}

bool is_permission_denied(const Error &error)
{
    return error.errno_value == EACCES || error.errno_value == EPERM;
}

UniqueFd accept_from(int listening_fd)
{
    for (;;) {
        UniqueFd fd(::accept4(listening_fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (fd || (errno != EINTR && errno != ECONNABORTED))
            return fd;
    }
}

PeerInfo identify(std::uint64_t id, int fd)
{
    PeerInfo info{.id = id};
    ucred credentials{};
    socklen_t size = sizeof credentials;
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0) {
        info.pid = credentials.pid;
        info.uid = credentials.uid;
    }
    return info;
}

bool is_allowed(const Endpoint &endpoint, const PeerInfo &peer)
{
    const auto &allowed = endpoint.allowed_uids;
    return allowed.empty() || peer.uid == ::geteuid() ||
           std::ranges::find(allowed, peer.uid) != allowed.end();
}

int send_buffer_used(int fd)
{
    int bytes = 0;
    ::ioctl(fd, SIOCOUTQ, &bytes);
    return bytes;
}

int bytes_to_read(int fd)
{
    int bytes = 0;
    ::ioctl(fd, SIOCINQ, &bytes);
    return bytes;
}

bool send_message(int fd, wire::Format format, wire::MessageType type,
                  std::span<const std::byte> payload)
{
    const auto code = wire::type_code(format.dialect, type);
    if (!code)
        return false;
    const wire::HeaderBytes header(format, {.type_code = *code,
                                            .length = static_cast<std::uint32_t>(payload.size()),
                                            .timestamp = wall_now()});
    std::array<iovec, 2> parts{
        {{const_cast<std::byte *>(header.bytes().data()), header.bytes().size()},
         {const_cast<std::byte *>(payload.data()), payload.size()}}};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    const auto sent = ::sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0 && static_cast<std::size_t>(sent) < header.bytes().size() + payload.size())
        ::shutdown(fd, SHUT_RDWR);
    return sent > 0;
}

void send_close_reason(int fd, wire::Format format, wire::CloseReason reason)
{
    // A v1 client of the output path takes every message for a frame.
    if (format.direction == wire::Direction::output && format.dialect == wire::Dialect::v1)
        return;
    const std::array payload{static_cast<std::byte>(reason)};
    send_message(fd, format, wire::MessageType::stop, payload);
}

BufferSizes set_buffer_sizes(const Endpoint &endpoint, int fd)
{
    const int requested = endpoint.buffer_size;
    ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &requested, sizeof requested);
    ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &requested, sizeof requested);
    BufferSizes sizes;
    socklen_t size = sizeof(int);
    ::getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sizes.send, &size);
    ::getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &sizes.receive, &size);
    return sizes;
}

} // namespace jkvm
