// SPDX-License-Identifier: LGPL-2.1-or-later
// Limits the average rate of something, but admits bursts.
#pragma once

#include "core/base/time.h"

#include <algorithm>
#include <cstdint>

namespace jkvm {

/// Admits `per_second` items a second, and `burst` items at once after a pause. Thread-bound.
class TokenBucket {
public:
    TokenBucket(unsigned per_second, unsigned burst)
        : interval_(std::chrono::nanoseconds(std::chrono::seconds(1)) / per_second),
          capacity_(interval_ * burst)
    {}

    /// Returns false if the item exceeds the rate.
    [[nodiscard]] bool admit(MonotonicTime now)
    {
        if (!has_room(now))
            return false;
        full_at_ = std::max(full_at_, now) + interval_;
        return true;
    }
    [[nodiscard]] bool has_room(MonotonicTime now) const { return next(now) <= now; }
    /// Returns the time from which the next item is admitted.
    [[nodiscard]] MonotonicTime next(MonotonicTime now) const
    {
        return std::max(full_at_, now) + interval_ - capacity_;
    }

private:
    nanoseconds interval_; // per item
    nanoseconds capacity_;
    MonotonicTime full_at_{}; // when the whole burst is available again
};

} // namespace jkvm
