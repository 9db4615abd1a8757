// SPDX-License-Identifier: LGPL-2.1-or-later
// When a driver says that it looked at its hardware, as far as that can be believed.
#pragma once

#include "core/base/time.h"

namespace jkvm {

class DriverTimestamps {
public:
    /// A driver that looks less often than this is not running.
    static constexpr nanoseconds oldest_plausible = std::chrono::seconds(1);
    /// That many in a row that cannot be, and it is not asked again.
    static constexpr int nonsense_allowed = 5;

    /// How old what the driver says is by now; 0 where that cannot be believed. `stamp` is on the
    /// clock of `now`.
    nanoseconds age(MonotonicTime stamp, MonotonicTime now)
    {
        if (!are_used())
            return nanoseconds(0);
        const auto age = now - stamp;
        const bool is_plausible = age >= nanoseconds(0) && age <= oldest_plausible;
        nonsense_ = is_plausible ? 0 : nonsense_ + 1;
        return is_plausible ? age : nanoseconds(0);
    }
    [[nodiscard]] bool are_used() const { return nonsense_ < nonsense_allowed; }

private:
    int nonsense_ = 0; // in a row
};

} // namespace jkvm
