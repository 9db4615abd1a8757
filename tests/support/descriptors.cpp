// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/descriptors.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <iterator>

namespace jkvm::testing {

namespace {

constexpr std::size_t max_descriptors = 16;
using ControlBuffer = std::array<char, CMSG_SPACE(max_descriptors * sizeof(int))>;

} // namespace

std::size_t count_descriptors()
{
    const std::filesystem::directory_iterator entries("/proc/self/fd");
    // One of them is that of the iterator.
    return static_cast<std::size_t>(std::distance(begin(entries), end(entries))) - 1;
}

void send_descriptors(int fd, std::span<const std::uint8_t> bytes, std::span<const int> attached)
{
    alignas(cmsghdr) ControlBuffer control{};
    iovec part{const_cast<std::uint8_t *>(bytes.data()), bytes.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(attached.size_bytes());
    auto *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(attached.size_bytes());
    std::memcpy(CMSG_DATA(header), attached.data(), attached.size_bytes());
    ::sendmsg(fd, &message, MSG_NOSIGNAL);
}

ReceivedMessage receive_descriptors(int fd, std::size_t size)
{
    ReceivedMessage received;
    received.bytes.resize(size);
    alignas(cmsghdr) ControlBuffer control{};
    iovec part{received.bytes.data(), size};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const auto count = ::recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    received.bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    const auto *header = CMSG_FIRSTHDR(&message);
    if (header == nullptr || header->cmsg_type != SCM_RIGHTS)
        return received;
    for (std::size_t i = 0; i < (header->cmsg_len - CMSG_LEN(0)) / sizeof(int); ++i) {
        int descriptor = -1;
        std::memcpy(&descriptor, CMSG_DATA(header) + i * sizeof(int), sizeof descriptor);
        received.descriptors.emplace_back(descriptor);
    }
    return received;
}

} // namespace jkvm::testing
