// SPDX-License-Identifier: LGPL-2.1-or-later
// How transits are distributed, as far as the past tells: histograms that forget.
#pragma once

#include "core/base/time.h"

#include <array>
#include <cstddef>

namespace jkvm {

/// Nobody knows for how long the past is a guide. So there are several histograms of different
/// memory, and each counts as much as it was right about what came next.
class TransitDistribution {
public:
    static constexpr nanoseconds bin_width = std::chrono::microseconds(2500);
    static constexpr int bins = 240; ///< transits beyond them count in the last one
    /// Time constants of forgetting, in stream time.
    static constexpr std::array<nanoseconds, 3> memories{
        std::chrono::seconds(10), std::chrono::seconds(80), std::chrono::seconds(640)};

    void reset() { *this = TransitDistribution(); }
    /// A frame of that duration took so long.
    void add(nanoseconds transit, nanoseconds duration);

    [[nodiscard]] bool empty() const { return frames_ == 0; }
    /// The lower edge of the first bin. It moves with the transits.
    [[nodiscard]] nanoseconds low() const { return low_; }
    /// For each bin the probability that a transit is in it or above.
    [[nodiscard]] std::array<double, bins> tail() const;

private:
    struct Histogram {
        std::array<double, bins> mass{};
        double sum = 0;
        double next_weight = 1; // grows, which makes what is there count less
        double share = 1.0 / memories.size();
    };
    [[nodiscard]] int bin_of(nanoseconds transit) const;
    void make_room_below(nanoseconds transit);
    void raise_low_end();
    void move_low(int bins_up);
    void learn_shares(int bin);

    std::array<Histogram, memories.size()> histograms_;
    nanoseconds low_{0};
    int highest_ = 0; // no bin above it has any mass
    std::size_t frames_ = 0;
    nanoseconds last_transit_{0};
    nanoseconds beyond_{0}; // how long all frames have been beyond the last bin
};

} // namespace jkvm
