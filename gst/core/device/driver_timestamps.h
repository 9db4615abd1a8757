// SPDX-License-Identifier: LGPL-2.1-or-later
// Validates the driver's timestamps of its hardware position.
#pragma once

#include "core/base/time.h"

namespace jkvm {

class DriverTimestamps {
public:
    /// The driver of a running device reads its hardware more often than this.
    static constexpr nanoseconds max_age = std::chrono::seconds(1);
    /// After this many implausible timestamps in a row the driver's timestamps are no longer
    /// used.
    static constexpr int max_implausible = 5;

    /// Age of the driver's position; 0 if its timestamp is implausible. `stamp` is on the clock of
    /// `now`.
    nanoseconds age(MonotonicTime stamp, MonotonicTime now)
    {
        if (!are_used())
            return nanoseconds(0);
        const auto age = now - stamp;
        const bool is_plausible = age >= nanoseconds(0) && age <= max_age;
        implausible_ = is_plausible ? 0 : implausible_ + 1;
        return is_plausible ? age : nanoseconds(0);
    }
    [[nodiscard]] bool are_used() const { return implausible_ < max_implausible; }

private:
    int implausible_ = 0; // in a row
};

} // namespace jkvm
