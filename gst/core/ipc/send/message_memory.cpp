// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/send/message_memory.h"

#include "core/base/unique_fd.h"
#include "core/ipc/socket/connection.h"

#include <sys/socket.h>

#include <array>
#include <atomic>
#include <vector>

namespace jkvm {

namespace {

// The kernel allocates in multiples of this many bytes.
constexpr std::size_t granularity = 64;
// Messages above this many multiples are so rare that each one is measured.
constexpr std::size_t size_classes = 64;

/// Returns 0 if no descriptor is free.
int measure(std::size_t size)
{
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0)
        return 0;
    const UniqueFd sender(ends[0]);
    const UniqueFd reader(ends[1]);
    const std::vector<std::byte> message(size);
    const auto sent = ::send(sender.get(), message.data(), size, MSG_NOSIGNAL);
    return sent == static_cast<ssize_t>(size) ? send_buffer_used(sender.get()) : 0;
}

} // namespace

int message_memory(std::size_t size)
{
    static std::array<std::atomic<int>, size_classes> measured{};
    const auto size_class = (size + granularity - 1) / granularity;
    const bool is_cached = size_class < size_classes;
    int memory = is_cached ? measured[size_class].load(std::memory_order_relaxed) : 0;
    if (memory == 0) {
        memory = measure(size_class * granularity);
        if (is_cached)
            measured[size_class].store(memory, std::memory_order_relaxed);
    }
    return memory > 0 ? memory : static_cast<int>(size);
}

} // namespace jkvm
