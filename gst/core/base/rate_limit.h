// SPDX-License-Identifier: LGPL-2.1-or-later
// Limits how often something is reported, and counts the reports that were suppressed.
#pragma once

#include "core/base/time.h"

#include <optional>
#include <utility>

namespace jkvm {

/// Thread-bound.
class RateLimit {
public:
    explicit RateLimit(nanoseconds interval) : interval_(interval) {}

    /// Returns the number of reports suppressed since the last admitted one, or nothing if this one
    /// is to be suppressed. The first one is admitted.
    [[nodiscard]] std::optional<unsigned> admit(MonotonicTime now)
    {
        if (last_ && now - *last_ < interval_) {
            ++suppressed_;
            return std::nullopt;
        }
        last_ = now;
        return std::exchange(suppressed_, 0U);
    }

private:
    nanoseconds interval_;
    std::optional<MonotonicTime> last_;
    unsigned suppressed_ = 0;
};

} // namespace jkvm
