// SPDX-License-Identifier: LGPL-2.1-or-later
// Waits for events on many descriptors (epoll), each of which is identified by a token.
#pragma once

#include "core/base/time.h"
#include "core/base/unique_fd.h"

#include <sys/epoll.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>

namespace jkvm {

/// wait() must always be called from the same thread, the other functions from any.
class EventPoll {
public:
    /// Not open, with errno set, if the process has no descriptor left.
    EventPoll() : fd_(::epoll_create1(EPOLL_CLOEXEC)) {}
    [[nodiscard]] bool is_open() const { return static_cast<bool>(fd_); }

    /// `events`: EPOLLIN, EPOLLOUT. Returns false and sets errno if the descriptor cannot be
    /// watched.
    bool add(int fd, std::uint32_t events, std::uint64_t token)
    {
        return control(EPOLL_CTL_ADD, fd, events, token);
    }
    bool change(int fd, std::uint32_t events, std::uint64_t token)
    {
        return control(EPOLL_CTL_MOD, fd, events, token);
    }
    void remove(int fd) { control(EPOLL_CTL_DEL, fd, 0, 0); }

    /// Blocks until an event occurs, a signal arrives or the deadline passes; without a deadline
    /// indefinitely. The events are valid until the next call.
    std::span<const epoll_event> wait(std::optional<MonotonicTime> deadline);

private:
    bool control(int operation, int fd, std::uint32_t events, std::uint64_t token)
    {
        epoll_event event{};
        event.events = events;
        event.data.u64 = token;
        return ::epoll_ctl(fd_.get(), operation, fd, &event) == 0;
    }

    UniqueFd fd_;
    std::array<epoll_event, 16> events_{};
};

} // namespace jkvm
