// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/client_process.h"

#include "support/raw_socket.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>

namespace jkvm::testing {

namespace {

void send_descriptor(int control, int fd)
{
    std::byte data{};
    iovec part{&data, 1};
    alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(int))> buffer{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (fd >= 0) {
        message.msg_control = buffer.data();
        message.msg_controllen = buffer.size();
        auto *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof fd);
        std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    ::sendmsg(control, &message, MSG_NOSIGNAL);
}

UniqueFd receive_descriptor(int control)
{
    std::byte data{};
    iovec part{&data, 1};
    alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(int))> buffer{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = buffer.data();
    message.msg_controllen = buffer.size();
    if (::recvmsg(control, &message, MSG_CMSG_CLOEXEC) <= 0)
        return {};
    const auto *header = CMSG_FIRSTHDR(&message);
    if (header == nullptr || header->cmsg_type != SCM_RIGHTS)
        return {};
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
    return UniqueFd(fd);
}

/// Connects to each path that is received, until the other end is closed.
void serve_requests(int control)
{
    std::array<char, 256> path{};
    for (;;) {
        const auto size = ::recv(control, path.data(), path.size(), 0);
        if (size <= 0)
            ::_exit(0);
        const auto connection =
            connect_to(std::string(path.data(), static_cast<std::size_t>(size)));
        send_descriptor(control, connection.get());
    }
}

/// Calls a function of raw_socket.h in a process of another user.
UniqueFd call_as(uid_t uid, UniqueFd (*function)(const std::string &), const std::string &path)
{
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
        return {};
    const UniqueFd parent_end(ends[0]);
    const UniqueFd child_end(ends[1]);
    const pid_t child = ::fork();
    if (child == 0) {
        UniqueFd socket;
        if (::setuid(uid) == 0)
            socket = function(path);
        send_descriptor(child_end.get(), socket.get());
        ::_exit(0);
    }
    auto socket = receive_descriptor(parent_end.get());
    ::waitpid(child, nullptr, 0);
    return socket;
}

} // namespace

ClientProcess::ClientProcess()
{
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
        return;
    control_.reset(ends[0]);
    const UniqueFd child_end(ends[1]);
    pid_ = ::fork();
    if (pid_ == 0) {
        control_.reset();
        serve_requests(child_end.get());
    }
}

ClientProcess::~ClientProcess()
{
    control_.reset();
    if (pid_ > 0)
        ::waitpid(pid_, nullptr, 0);
}

UniqueFd ClientProcess::connect(const std::string &path)
{
    ::send(control_.get(), path.data(), path.size(), MSG_NOSIGNAL);
    return receive_descriptor(control_.get());
}

UniqueFd listen_as(uid_t uid, const std::string &path)
{
    return call_as(uid, &listen_at, path);
}

UniqueFd connect_as(uid_t uid, const std::string &path)
{
    return call_as(uid, &connect_to, path);
}

} // namespace jkvm::testing
