// SPDX-License-Identifier: LGPL-2.1-or-later
// Running statistics of a latency: average, extremes, jitter, trend, quantiles, histogram.
#pragma once

#include "core/base/time.h"
#include "core/stats/decaying_quantiles.h"
#include "core/stats/latency_histogram.h"

#include <array>
#include <cstdint>

namespace jkvm {

/// Direction of the latest latencies; `unsteady` is named "volatile" in the statistics, as in
/// JetKVM.
enum class LatencyTrend { stable, increasing, decreasing, unsteady };

/// A value type. Share it between threads in a Guarded<> and read it through a snapshot.
class LatencyMonitor {
public:
    /// Number of latest samples that the jitter is computed from.
    static constexpr std::size_t history = 100;
    /// Latencies are clamped to this magnitude so that no sum overflows; unrelated clocks can make
    /// them larger.
    static constexpr nanoseconds maximum_latency = DecayingQuantiles::maximum;
    /// Number of latest samples that the trend is computed from.
    static constexpr std::size_t trend_length = 10;

    struct Values {
        std::uint64_t samples = 0;
        nanoseconds current{0};
        nanoseconds average{0}; ///< exponential; each sample counts one tenth
        nanoseconds minimum{0};
        nanoseconds maximum{0};
        nanoseconds jitter{0}; ///< mean absolute deviation from the average, over the history
        LatencyTrend trend = LatencyTrend::stable;
        // Quantiles of the last few thousand samples; see DecayingQuantiles.
        nanoseconds p50{0};
        nanoseconds p95{0};
        nanoseconds p99{0};
    };

    /// Does not allocate.
    void record(nanoseconds latency);
    /// Computes the quantiles, which takes some microseconds.
    [[nodiscard]] Values values() const;
    [[nodiscard]] LatencyTrend trend() const;
    [[nodiscard]] std::uint64_t samples() const { return values_.samples; }
    [[nodiscard]] nanoseconds current() const { return values_.current; }
    [[nodiscard]] nanoseconds average() const { return values_.average; }
    [[nodiscard]] nanoseconds jitter() const;
    [[nodiscard]] const LatencyHistogram &histogram() const { return histogram_; }

private:
    struct Sample {
        nanoseconds latency{0};
        nanoseconds deviation{0}; // from the average
    };
    /// The latency `age` samples ago.
    [[nodiscard]] nanoseconds past(std::size_t age) const;

    Values values_;                         // jitter, trend and quantiles are not kept up to date
    std::array<Sample, history> history_{}; // a ring
    nanoseconds deviations_{0};             // their sum over the history
    DecayingQuantiles quantiles_;
    LatencyHistogram histogram_;
};

} // namespace jkvm
