// SPDX-License-Identifier: LGPL-2.1-or-later
// How often a latency was how long, since the beginning: what a Prometheus histogram is made of.
#pragma once

#include "core/base/time.h"

#include <array>
#include <cstdint>

namespace jkvm {

/// Counts only grow, so that whoever reads them now and then knows what came in between.
class LatencyHistogram {
public:
    /// The longest latency of each bucket but the last, which takes all that is longer. Close to
    /// each other where a frame more or less is, 10 to 100 ms.
    static constexpr std::array<nanoseconds, 17> bounds{
        std::chrono::microseconds(100), std::chrono::microseconds(500),
        std::chrono::milliseconds(1),   std::chrono::microseconds(2500),
        std::chrono::milliseconds(5),   std::chrono::milliseconds(10),
        std::chrono::milliseconds(20),  std::chrono::milliseconds(25),
        std::chrono::milliseconds(30),  std::chrono::milliseconds(40),
        std::chrono::milliseconds(50),  std::chrono::milliseconds(75),
        std::chrono::milliseconds(100), std::chrono::milliseconds(200),
        std::chrono::milliseconds(500), std::chrono::seconds(1),
        std::chrono::milliseconds(2500)};
    using Counts = std::array<std::uint64_t, bounds.size() + 1>;

    /// A negative latency, of clocks that disagree, counts as 0. One beyond 60 s is taken for that.
    void record(nanoseconds latency);
    void add(const LatencyHistogram &other);

    /// Of each bucket alone.
    [[nodiscard]] const Counts &counts() const { return counts_; }
    [[nodiscard]] nanoseconds sum() const { return sum_; }

private:
    Counts counts_{};
    nanoseconds sum_{0};
};

} // namespace jkvm
