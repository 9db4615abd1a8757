// SPDX-License-Identifier: LGPL-2.1-or-later
// How large a device's ring should be, learnt from how often it overran.
#pragma once

#include "core/base/time.h"

#include <algorithm>

namespace jkvm {

/// Three overruns within a minute double it, up to 500 ms; what was asked for may be more.
class RingSize {
public:
    static constexpr nanoseconds largest = std::chrono::milliseconds(500);
    static constexpr nanoseconds window = std::chrono::minutes(1);
    static constexpr int overruns_allowed = 2; // within the window

    explicit RingSize(nanoseconds wanted) : time_(wanted) {}

    /// Whether the ring is to be larger from now on.
    bool overrun(MonotonicTime now)
    {
        if (count_ == 0 || now - first_ > window) {
            first_ = now;
            count_ = 0;
        }
        if (++count_ <= overruns_allowed || time_ >= largest)
            return false;
        count_ = 0;
        time_ = std::min(2 * time_, largest);
        return true;
    }
    [[nodiscard]] nanoseconds time() const { return time_; }

private:
    nanoseconds time_;
    MonotonicTime first_{}; // overrun of the window
    int count_ = 0;         // overruns in it
};

} // namespace jkvm
