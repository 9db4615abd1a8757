// SPDX-License-Identifier: LGPL-2.1-or-later
// How long to wait before the next try.
#pragma once

#include "core/base/time.h"

#include <cstdint>
#include <random>

namespace jkvm {

/// Doubles from `first` to `longest`. Each pause is shortened by a random part of up to a quarter,
/// so that many clients of one server that died do not come back in the same instant.
class Backoff {
public:
    Backoff(nanoseconds first, nanoseconds longest, std::uint32_t seed)
        : first_(first), longest_(longest), pause_(first), random_(seed)
    {}

    nanoseconds next();
    /// After a success: the next pause is the first one again.
    void reset() { pause_ = first_; }

private:
    nanoseconds first_;
    nanoseconds longest_;
    nanoseconds pause_;
    std::minstd_rand random_;
};

} // namespace jkvm
