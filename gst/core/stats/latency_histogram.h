// SPDX-License-Identifier: LGPL-2.1-or-later
// Cumulative histogram of a latency, as exported to Prometheus.
#pragma once

#include "core/base/time.h"

#include <array>
#include <cstdint>

namespace jkvm {

/// The counts never decrease, so that a reader can calculate the latencies since its previous read
/// as a difference.
class LatencyHistogram {
public:
    /// Inclusive upper bounds of all buckets but the last, which counts anything longer. They are
    /// dense from 10 to 100 ms, where one frame makes a difference.
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

    /// Clamps the latency to 0 to 60 s: clocks that disagree can make it negative.
    void record(nanoseconds latency);
    void add(const LatencyHistogram &other);

    /// Samples per bucket, not accumulated over the buckets.
    [[nodiscard]] const Counts &counts() const { return counts_; }
    [[nodiscard]] nanoseconds sum() const { return sum_; }

private:
    Counts counts_{};
    nanoseconds sum_{0};
};

} // namespace jkvm
