// SPDX-License-Identifier: LGPL-2.1-or-later
// Averages the drift between two clocks over the last minute.
#pragma once

#include "core/base/time.h"

#include <array>

namespace jkvm {

/// A sender that slews its own timestamps alternates between no drift and a large one. The average
/// over a minute is within 30 ppm of the true drift for differences of up to 2 ms.
class LongTermDrift {
public:
    /// `position`: media time, never decreases; `time`: the other clock at that position.
    void add(nanoseconds position, nanoseconds time)
    {
        if (count_ > 0 && position - at(count_ - 1).position < interval)
            return;
        if (count_ == length)
            begin_ = (begin_ + 1) % length;
        else
            ++count_;
        points_[(begin_ + count_ - 1) % length] = {position, time};
    }
    void reset() { begin_ = count_ = 0; }

    /// How much faster the media clock runs than the other one (ppm); 0 for the first 5 s.
    [[nodiscard]] double ppm() const
    {
        if (count_ < minimum_count)
            return 0;
        const auto media = at(count_ - 1).position - at(0).position;
        const auto elapsed = at(count_ - 1).time - at(0).time;
        if (elapsed <= nanoseconds(0))
            return 0;
        return 1e6 * static_cast<double>((media - elapsed).count()) /
               static_cast<double>(elapsed.count());
    }

private:
    struct Point {
        nanoseconds position;
        nanoseconds time;
    };
    static constexpr nanoseconds interval = std::chrono::seconds(1);
    static constexpr int length = 64;
    static constexpr int minimum_count = 6;
    [[nodiscard]] const Point &at(int i) const { return points_[(begin_ + i) % length]; }

    std::array<Point, length> points_{}; // a ring
    int begin_ = 0;
    int count_ = 0;
};

} // namespace jkvm
