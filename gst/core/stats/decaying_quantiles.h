// SPDX-License-Identifier: LGPL-2.1-or-later
// Quantiles of a stream of durations in constant memory; older samples count less.
#pragma once

#include "core/base/time.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace jkvm {

/// A histogram with logarithmic buckets: at() is accurate to 1.6 % or 1 us, whichever is larger.
/// When it contains `capacity` samples, all counts are halved, so it covers about the last two
/// minutes of a stream with 50 frames per second.
class DecayingQuantiles {
public:
    static constexpr std::uint32_t capacity = 8192; ///< samples
    /// Longer durations are recorded as this.
    static constexpr nanoseconds maximum = std::chrono::seconds(60);

    /// A negative duration is recorded as 0. Does not allocate.
    void record(nanoseconds value);
    /// Quantile `q` (0 to 1) of the samples; 0 without samples.
    [[nodiscard]] nanoseconds at(double q) const;

private:
    std::array<std::uint16_t, 768> counts_{};
    std::uint32_t total_ = 0;
};

} // namespace jkvm
