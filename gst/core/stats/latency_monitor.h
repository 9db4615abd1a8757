// SPDX-License-Identifier: LGPL-2.1-or-later
// A running account of how late something is.
#pragma once

#include "core/base/time.h"
#include "core/stats/decaying_quantiles.h"
#include "core/stats/latency_histogram.h"

#include <array>
#include <cstdint>

namespace jkvm {

/// Where the latest latencies go; `unsteady` is what JetKVM calls volatile.
enum class LatencyTrend { stable, increasing, decreasing, unsteady };

/// A value: whoever shares one between threads keeps it in a Guarded<>, and takes a snapshot of it
/// to look at.
class LatencyMonitor {
public:
    /// What the jitter is made from; what is older is forgotten.
    static constexpr std::size_t history = 100; ///< samples
    /// What is longer, of clocks that have nothing in common, is taken for this long, so that no
    /// sum can overflow.
    static constexpr nanoseconds longest = DecayingQuantiles::longest;
    /// What the trend is made from.
    static constexpr std::size_t trend_length = 10; ///< samples

    struct Values {
        std::uint64_t samples = 0;
        nanoseconds current{0};
        nanoseconds average{0}; ///< exponential, one tenth of the difference a sample
        nanoseconds minimum{0};
        nanoseconds maximum{0};
        nanoseconds jitter{0}; ///< mean distance from the average, over the history
        LatencyTrend trend = LatencyTrend::stable;
        // Of the last some thousand samples, see DecayingQuantiles.
        nanoseconds p50{0};
        nanoseconds p95{0};
        nanoseconds p99{0};
    };

    /// Allocates nothing.
    void record(nanoseconds latency);
    /// Takes some time: the quantiles are looked up.
    [[nodiscard]] Values values() const;
    [[nodiscard]] LatencyTrend trend() const;
    [[nodiscard]] nanoseconds average() const { return values_.average; }
    [[nodiscard]] const LatencyHistogram &histogram() const { return histogram_; }

private:
    struct Sample {
        nanoseconds latency{0};
        nanoseconds deviation{0}; // from the average
    };
    [[nodiscard]] nanoseconds jitter() const;
    /// The latency `age` samples ago.
    [[nodiscard]] nanoseconds past(std::size_t age) const;

    Values values_;                         // but for jitter, trend and quantiles
    std::array<Sample, history> history_{}; // a ring
    nanoseconds deviations_{0};             // sum over the history
    DecayingQuantiles quantiles_;
    LatencyHistogram histogram_;
};

} // namespace jkvm
