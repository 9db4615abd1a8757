// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/stats/latency_histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

std::uint64_t total(const LatencyHistogram &histogram)
{
    return std::accumulate(histogram.counts().begin(), histogram.counts().end(), std::uint64_t{0});
}

TEST(LatencyHistogram, BoundsAreAscending)
{
    EXPECT_TRUE(std::ranges::is_sorted(LatencyHistogram::bounds, std::ranges::less_equal()));
}

TEST(LatencyHistogram, BoundsAreInclusive)
{
    for (std::size_t i = 0; i < LatencyHistogram::bounds.size(); ++i) {
        LatencyHistogram histogram;
        histogram.record(LatencyHistogram::bounds[i]);
        EXPECT_EQ(histogram.counts()[i], 1u) << i;
        histogram.record(LatencyHistogram::bounds[i] + 1ns);
        EXPECT_EQ(histogram.counts()[i + 1], 1u) << i;
    }
}

TEST(LatencyHistogram, SumsClampedLatencies)
{
    LatencyHistogram histogram;
    histogram.record(30ms);
    histogram.record(4s);
    histogram.record(-1s);
    EXPECT_EQ(histogram.sum(), 4030ms);
    EXPECT_EQ(histogram.counts().front(), 1u);
    EXPECT_EQ(histogram.counts().back(), 1u);
    EXPECT_EQ(total(histogram), 3u);
    histogram.record(nanoseconds::max());
    EXPECT_EQ(histogram.sum(), 64030ms);
}

TEST(LatencyHistogram, AddsAnotherHistogram)
{
    LatencyHistogram one;
    one.record(1ms);
    LatencyHistogram other;
    other.record(1ms);
    other.record(2s);
    one.add(other);
    EXPECT_EQ(one.sum(), 2002ms);
    EXPECT_EQ(total(one), 3u);
    EXPECT_EQ(*std::ranges::max_element(one.counts()), 2u);
}

} // namespace
} // namespace jkvm
