// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/send/event_poll.h"

#include <algorithm>

namespace jkvm {

std::span<const epoll_event> EventPoll::wait(std::optional<MonotonicTime> deadline)
{
    int timeout = -1;
    if (deadline) {
        const auto left = std::max(*deadline - monotonic_now(), nanoseconds(0));
        timeout = static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(left).count());
    }
    const int count =
        ::epoll_wait(fd_.get(), events_.data(), static_cast<int>(events_.size()), timeout);
    return std::span(events_).first(static_cast<std::size_t>(std::max(count, 0)));
}

} // namespace jkvm
