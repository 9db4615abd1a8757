// SPDX-License-Identifier: LGPL-2.1-or-later
// Estimates the distribution of transits with histograms whose entries decay.
#pragma once

#include "core/base/time.h"

#include <array>
#include <cstddef>

namespace jkvm {

/// The best rate of decay depends on the stream and is not known in advance. Several histograms
/// with different time constants are therefore combined, each weighted by how well it predicted the
/// transits that followed.
class TransitDistribution {
public:
    static constexpr nanoseconds bin_width = std::chrono::microseconds(2500);
    static constexpr int bins = 240; ///< longer transits are counted in the last one
    /// Time constants of the decay, in stream time.
    static constexpr std::array<nanoseconds, 3> time_constants{
        std::chrono::seconds(10), std::chrono::seconds(80), std::chrono::seconds(640)};

    void reset() { *this = TransitDistribution(); }
    /// Records the transit of a frame with that duration.
    void add(nanoseconds transit, nanoseconds duration);

    [[nodiscard]] bool empty() const { return frames_ == 0; }
    /// Number of frames recorded.
    [[nodiscard]] std::size_t frames() const { return frames_; }
    /// Lower edge of the first bin. It follows the transits.
    [[nodiscard]] nanoseconds low() const { return low_; }
    /// For each bin, the probability of a transit in that bin or above.
    [[nodiscard]] std::array<double, bins> tail() const;

private:
    struct Histogram {
        std::array<double, bins> mass{};
        double sum = 0;
        double next_weight = 1; // grows, so that earlier transits count less
        double share = 1.0 / time_constants.size();
    };
    [[nodiscard]] int bin_of(nanoseconds transit) const;
    void make_room_below(nanoseconds transit);
    void raise_low_end();
    void move_low(int bins_up);
    void update_shares(int bin);

    std::array<Histogram, time_constants.size()> histograms_;
    nanoseconds low_{0};
    int highest_ = 0; // all bins above it are empty
    std::size_t frames_ = 0;
    nanoseconds last_transit_{0};
    nanoseconds beyond_{0}; // duration of the latest frames that were all beyond the last bin
};

} // namespace jkvm
