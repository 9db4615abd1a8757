// SPDX-License-Identifier: LGPL-2.1-or-later
// DecayingQuantiles of a stream of times, in constant memory.
#pragma once

#include "core/base/time.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace jkvm {

/// A histogram whose buckets grow with the value: what at() says is right to 1.6 %, or to 1 us
/// where that is more. It forgets: whenever `capacity` samples are in it all counts are halved, so
/// about the last two minutes of a stream with 50 frames a second count.
class DecayingQuantiles {
public:
    static constexpr std::uint32_t capacity = 8192; ///< samples
    /// What is longer is taken for this long.
    static constexpr nanoseconds longest = std::chrono::seconds(60);

    /// A negative time counts as 0. Allocates nothing.
    void record(nanoseconds value);
    /// The value that a share of `q` (0..1) of the samples do not exceed; 0 without samples.
    [[nodiscard]] nanoseconds at(double q) const;

private:
    std::array<std::uint16_t, 768> counts_{};
    std::uint32_t total_ = 0;
};

} // namespace jkvm
