// SPDX-License-Identifier: LGPL-2.1-or-later
// Chooses the size of a device's ring from the frequency of overruns.
#pragma once

#include "core/base/time.h"

#include <algorithm>

namespace jkvm {

/// Three overruns within a minute double the size, up to 500 ms. The configured size may be larger.
class RingSize {
public:
    static constexpr nanoseconds max_growth = std::chrono::milliseconds(500);
    static constexpr nanoseconds window = std::chrono::minutes(1);
    static constexpr int overruns_allowed = 2; // within the window

    explicit RingSize(nanoseconds configured) : time_(configured) {}

    /// Counts an overrun. Returns whether the ring has to be larger from now on.
    bool on_overrun(MonotonicTime now)
    {
        if (count_ == 0 || now - first_ > window) {
            first_ = now;
            count_ = 0;
        }
        if (++count_ <= overruns_allowed || time_ >= max_growth)
            return false;
        count_ = 0;
        time_ = std::min(2 * time_, max_growth);
        return true;
    }
    [[nodiscard]] nanoseconds time() const { return time_; }

private:
    nanoseconds time_;
    MonotonicTime first_{}; // first overrun of the window
    int count_ = 0;         // overruns in it
};

} // namespace jkvm
