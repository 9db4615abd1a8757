// SPDX-License-Identifier: LGPL-2.1-or-later
// Provides the descriptor that programs poll: it becomes readable at a given time, or when a
// command arrives.
#pragma once

#include "core/base/unique_fd.h"

#include <cstdint>
#include <limits>

namespace jkvm::testing {

/// Returns CLOCK_MONOTONIC in nanoseconds.
[[nodiscard]] int64_t read_monotonic_clock();

/// A timer and a command descriptor, combined in one epoll descriptor. Not thread-safe; the owner
/// locks.
class PollAlarm {
public:
    static constexpr int64_t never = std::numeric_limits<int64_t>::max();
    /// A time in the past: the descriptor is readable until the alarm is set again.
    static constexpr int64_t at_once = 1;

    /// Throws std::system_error.
    PollAlarm();

    /// Adds a descriptor whose readability also causes a wake-up; a negative one is ignored.
    void watch(int descriptor);

    /// Descriptor to be polled for POLLIN.
    [[nodiscard]] int fd() const { return epoll_.get(); }
    /// Time of the alarm (ns).
    [[nodiscard]] int64_t time() const { return time_; }
    void set(int64_t time);

private:
    UniqueFd timer_; // readable when expired; never read, only rearmed
    UniqueFd epoll_; // timer_ and the commands
    int64_t time_ = never;
};

} // namespace jkvm::testing
