// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/stats/windowed_quantiles.h"

#include <gtest/gtest.h>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

TEST(WindowedQuantiles, AreZeroWithoutValues)
{
    EXPECT_EQ(WindowedQuantiles().summary().maximum, 0ns);
}

TEST(WindowedQuantiles, EqualASingleValue)
{
    WindowedQuantiles quantiles;
    quantiles.add(-7ms);
    const auto summary = quantiles.summary();
    EXPECT_EQ(summary.minimum, -7ms);
    EXPECT_EQ(summary.median, -7ms);
    EXPECT_EQ(summary.p95, -7ms);
    EXPECT_EQ(summary.maximum, -7ms);
}

TEST(WindowedQuantiles, MatchTheSortedValues)
{
    WindowedQuantiles quantiles;
    for (int i = 0; i < 100; ++i)
        quantiles.add((i * 37 % 100 + 1) * 1ms); // 1 .. 100, in some order
    const auto summary = quantiles.summary();
    EXPECT_EQ(summary.minimum, 1ms);
    EXPECT_EQ(summary.median, 50ms);
    EXPECT_EQ(summary.p95, 95ms);
    EXPECT_EQ(summary.maximum, 100ms);
}

TEST(WindowedQuantiles, ForgetValuesOutsideTheWindow)
{
    WindowedQuantiles quantiles;
    quantiles.add(1000ms);
    for (std::size_t i = 1; i < WindowedQuantiles::window; ++i)
        quantiles.add(1ms);
    EXPECT_EQ(quantiles.summary().maximum, 1000ms);
    quantiles.add(1ms);
    EXPECT_EQ(quantiles.summary().maximum, 1ms);
    quantiles.reset();
    EXPECT_EQ(quantiles.summary().maximum, 0ns);
}

} // namespace
} // namespace jkvm
