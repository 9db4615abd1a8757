// SPDX-License-Identifier: LGPL-2.1-or-later
// When a child process that has ended is started again.
#pragma once

#include "core/base/time.h"

#include <deque>

namespace jkvm {

struct RestartLimits {
    unsigned max_restarts = 5;                            ///< within `window`
    nanoseconds window = std::chrono::minutes(5);         ///< slides
    nanoseconds delay = std::chrono::seconds(2);          ///< after a child that died young
    nanoseconds longest_delay = std::chrono::seconds(30); ///< that `delay` doubles to
};

/// A child that had lived is started again at once. One that died young, or could not be started,
/// is started after a delay, which doubles for each further one in a row. Whoever stops a child on
/// purpose does not ask.
class RestartPolicy {
public:
    /// A child that was healthy for so long has lived; it died young if not.
    static constexpr nanoseconds youth = std::chrono::milliseconds(500);

    struct Decision {
        MonotonicTime start; ///< of the next child
        /// There were `max_restarts` in the window. `start` is then for those who try on for ever.
        bool is_limit_reached;
    };

    explicit RestartPolicy(const RestartLimits &limits) : limits_(limits) {}

    /// `healthy`: how long the child was, from its first heartbeat to its end; 0 for one that gave
    /// none.
    Decision child_ended(nanoseconds healthy, MonotonicTime now);

private:
    nanoseconds next_delay(nanoseconds healthy);

    RestartLimits limits_;
    nanoseconds delay_{0};               // the last one; 0 after a child that had lived
    std::deque<MonotonicTime> restarts_; // in the window, oldest first
};

} // namespace jkvm
