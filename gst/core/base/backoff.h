// SPDX-License-Identifier: LGPL-2.1-or-later
// Computes the interval before the next attempt.
#pragma once

#include "core/base/time.h"

#include <cstdint>
#include <random>

namespace jkvm {

/// Intervals that double from `first` to `longest`. Each is shortened by a random part of up to a
/// quarter, so that the clients of a restarted server do not all reconnect at the same instant.
class Backoff {
public:
    Backoff(nanoseconds first, nanoseconds longest, std::uint32_t seed)
        : first_(first), longest_(longest), interval_(first), random_(seed)
    {}

    /// Returns the next interval and doubles the one after it.
    nanoseconds next();
    /// Restarts from the first interval, after a success.
    void reset() { interval_ = first_; }

private:
    nanoseconds first_;
    nanoseconds longest_;
    nanoseconds interval_;
    std::minstd_rand random_;
};

} // namespace jkvm
