// SPDX-License-Identifier: LGPL-2.1-or-later
// A running account of how late something is.
#pragma once

#include "core/base/time.h"

#include <cstdint>

namespace jkvm {

class LatencyMonitor {
public:
    struct Values {
        std::uint64_t samples = 0;
        nanoseconds current{0};
        nanoseconds average{0}; ///< exponential, one tenth of the difference a sample
        nanoseconds minimum{0};
        nanoseconds maximum{0};
    };

    void record(nanoseconds latency);
    [[nodiscard]] const Values &values() const { return values_; }

private:
    Values values_;
};

} // namespace jkvm
