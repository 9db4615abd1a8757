// SPDX-License-Identifier: LGPL-2.1-or-later
// The descriptor that programs poll: it becomes readable at a given time, or when a command
// arrives.
#pragma once

#include "core/base/unique_fd.h"

#include <cstdint>
#include <limits>

namespace jkvm::testing {

/// CLOCK_MONOTONIC in nanoseconds.
[[nodiscard]] int64_t read_monotonic_clock();

/// Not thread-safe; its owner locks.
class PollAlarm {
public:
    static constexpr int64_t never = std::numeric_limits<int64_t>::max();
    /// A time long past: the descriptor is readable until the alarm is set again.
    static constexpr int64_t at_once = 1;

    /// Throws std::system_error.
    PollAlarm();

    /// Wakes up when this descriptor is readable as well; nothing if it is negative.
    void watch(int descriptor);

    /// To be polled for POLLIN.
    [[nodiscard]] int fd() const { return epoll_.get(); }
    /// The time of the alarm.
    [[nodiscard]] int64_t time() const { return time_; }
    void set(int64_t time);

private:
    UniqueFd timer_; // expired = poll again; never read, only set again
    UniqueFd epoll_; // timer_ and the commands
    int64_t time_ = never;
};

} // namespace jkvm::testing
