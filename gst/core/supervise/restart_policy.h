// SPDX-License-Identifier: LGPL-2.1-or-later
// Decides when a child process that has ended is restarted.
#pragma once

#include "core/base/time.h"

#include <deque>

namespace jkvm {

struct RestartLimits {
    unsigned max_restarts = 5;                        ///< within `window`
    nanoseconds window = std::chrono::minutes(5);     ///< sliding
    nanoseconds delay = std::chrono::seconds(2);      ///< after the first early failure
    nanoseconds max_delay = std::chrono::seconds(30); ///< upper bound of the doubled delay
};

/// Restarts a child that had been healthy immediately. After an early failure (the child was
/// healthy for a shorter time, or could not be started) the restart is delayed; the delay doubles
/// with each further early failure in a row. A deliberate stop is not reported to the policy.
class RestartPolicy {
public:
    /// A child that was healthy for a shorter time has failed early.
    static constexpr nanoseconds min_healthy = std::chrono::milliseconds(500);

    struct Decision {
        MonotonicTime start; ///< of the next child
        /// The window contains `max_restarts` restarts. `start` is then the time of the next
        /// attempt for callers that retry endlessly.
        bool is_limit_reached;
    };

    explicit RestartPolicy(const RestartLimits &limits) : limits_(limits) {}

    /// `healthy`: the time from the child's first heartbeat to its end; 0 without a heartbeat.
    Decision on_child_ended(nanoseconds healthy, MonotonicTime now);

private:
    nanoseconds next_delay(nanoseconds healthy);

    RestartLimits limits_;
    nanoseconds delay_{0};               // the last one; 0 after a healthy child
    std::deque<MonotonicTime> restarts_; // in the window, oldest first
};

} // namespace jkvm
