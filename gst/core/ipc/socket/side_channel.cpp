// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/socket/side_channel.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace jkvm {

namespace {

// A few messages; the kernel has a higher lower bound.
constexpr int buffer_size = 4096;

bool has_option(int fd, int option, int expected)
{
    int value = 0;
    socklen_t size = sizeof value;
    return ::getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 && value == expected;
}

bool must_retry(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR || error == ENOBUFS;
}

/// Takes over every descriptor of a received message.
std::vector<UniqueFd> take_descriptors(msghdr &message)
{
    std::vector<UniqueFd> descriptors;
    for (auto *part = CMSG_FIRSTHDR(&message); part != nullptr;
         part = CMSG_NXTHDR(&message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        const auto *data = CMSG_DATA(part);
        for (std::size_t size = CMSG_LEN(0); size + sizeof(int) <= part->cmsg_len;
             size += sizeof(int), data += sizeof(int)) {
            int fd = -1;
            std::memcpy(&fd, data, sizeof fd);
            descriptors.emplace_back(fd);
        }
    }
    return descriptors;
}

} // namespace

std::optional<SideChannel::Pair> SideChannel::make_pair()
{
    std::array<int, 2> fds{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds.data()) != 0)
        return std::nullopt;
    for (const int fd : fds)
        ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer_size, sizeof buffer_size);
    return Pair{SideChannel(UniqueFd(fds[0])), UniqueFd(fds[1])};
}

std::optional<SideChannel> SideChannel::adopt(UniqueFd fd)
{
    if (!has_option(fd.get(), SO_DOMAIN, AF_UNIX) || !has_option(fd.get(), SO_TYPE, SOCK_SEQPACKET))
        return std::nullopt;
    return SideChannel(std::move(fd));
}

SideChannel &SideChannel::operator=(SideChannel &&other) noexcept
{
    if (this != &other) {
        shut_down();
        fd_ = std::move(other.fd_);
    }
    return *this;
}

void SideChannel::shut_down()
{
    if (fd_)
        ::shutdown(fd_.get(), SHUT_RDWR);
}

SideChannel::Outcome SideChannel::send(std::span<const std::byte> message)
{
    if (::send(fd_.get(), message.data(), message.size(), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
        return Outcome::done;
    return must_retry(errno) ? Outcome::retry : Outcome::closed;
}

SideChannel::Outcome SideChannel::receive(wire::SideMessage &message)
{
    std::array<std::byte, wire::max_side_message> buffer{};
    const auto size = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size < 0 && must_retry(errno))
        return Outcome::retry;
    if (size <= 0)
        return Outcome::closed;
    message = wire::decode_side_message(std::span(buffer).first(static_cast<std::size_t>(size)));
    return Outcome::done;
}

ssize_t send_with_descriptor(int fd, std::span<iovec> parts, int descriptor)
{
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    if (descriptor >= 0) {
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        auto *part = CMSG_FIRSTHDR(&message);
        part->cmsg_level = SOL_SOCKET;
        part->cmsg_type = SCM_RIGHTS;
        part->cmsg_len = CMSG_LEN(sizeof(int));
        std::memcpy(CMSG_DATA(part), &descriptor, sizeof descriptor);
    }
    return ::sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

ssize_t receive_with_side_channel(int fd, std::span<std::byte> space,
                                  std::optional<SideChannel> &channel)
{
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    iovec part{space.data(), space.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const auto size = ::recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (size < 0)
        return size;
    for (auto &descriptor : take_descriptors(message))
        if (!channel)
            channel = SideChannel::adopt(std::move(descriptor));
    return size;
}

} // namespace jkvm
