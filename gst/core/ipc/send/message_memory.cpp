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

// The kernel's memory comes in multiples of this.
constexpr std::size_t grain = 64;
// Larger ones are so rare that each is measured.
constexpr std::size_t classes = 64;

/// 0: it cannot be measured now.
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
    static std::array<std::atomic<int>, classes> measured{};
    const auto of = (size + grain - 1) / grain;
    int memory = of < classes ? measured[of].load(std::memory_order_relaxed) : 0;
    if (memory == 0) {
        memory = measure(of * grain);
        if (of < classes)
            measured[of].store(memory, std::memory_order_relaxed);
    }
    return memory > 0 ? memory : static_cast<int>(size);
}

} // namespace jkvm
