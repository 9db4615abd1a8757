// SPDX-License-Identifier: LGPL-2.1-or-later
// A running account of how late something is.
#pragma once

#include "core/base/time.h"
#include "core/stats/quantiles.h"

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
        // Of the last some thousand samples, see Quantiles.
        nanoseconds p50{0};
        nanoseconds p95{0};
        nanoseconds p99{0};
    };

    /// Allocates nothing.
    void record(nanoseconds latency);
    /// Takes some time: the quantiles are looked up.
    [[nodiscard]] Values values() const;

private:
    Values values_; // all but the quantiles
    Quantiles quantiles_;
};

} // namespace jkvm
