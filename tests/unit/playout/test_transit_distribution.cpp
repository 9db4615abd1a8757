// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/playout/transit_distribution.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

class TransitDistributionTest : public testing::Test {
protected:
    void add(nanoseconds transit, int times = 1, nanoseconds duration = 20ms)
    {
        for (int i = 0; i < times; ++i)
            transits_.add(transit, duration);
    }
    /// Probability of a transit of at least that, rounded to the bin.
    double at_least(nanoseconds transit)
    {
        const auto bin = (transit - transits_.low()) / TransitDistribution::bin_width;
        return transits_.tail().at(static_cast<std::size_t>(bin));
    }

    TransitDistribution transits_;
};

TEST_F(TransitDistributionTest, TailIsTheProbabilityOfLongerTransits)
{
    for (int i = 0; i < 1000; ++i)
        add((i % 10) * 5ms);
    const auto tail = transits_.tail();
    EXPECT_NEAR(tail.front(), 1, 1e-9);
    EXPECT_NEAR(at_least(45ms), 0.1, 0.01);
    EXPECT_NEAR(at_least(25ms), 0.5, 0.01);
    EXPECT_NEAR(at_least(50ms), 0, 1e-9);
    EXPECT_TRUE(std::is_sorted(tail.rbegin(), tail.rend()));
}

TEST_F(TransitDistributionTest, IsIndependentOfTheClocksOrigin)
{
    add(-1h, 10);
    add(-1h + 30ms, 10);
    EXPECT_NEAR(at_least(-1h + 30ms), 0.5, 0.01);
}

TEST_F(TransitDistributionTest, OlderTransitsCountLess)
{
    add(100ms, 500);
    add(0ms, 500);
    const auto before = at_least(100ms);
    add(0ms, 5000);
    EXPECT_LT(before, 0.5);
    EXPECT_LT(at_least(100ms), 0.05);
    add(0ms, 100'000); // 2000 s
    EXPECT_LT(at_least(100ms), 1e-3);
}

TEST_F(TransitDistributionTest, ForgetsByStreamTimeNotByFrames)
{
    add(100ms, 500);
    add(0ms, 2000);
    const auto with_long_frames = at_least(100ms);
    transits_.reset();
    add(100ms, 4000, 2500us);
    add(0ms, 16'000, 2500us);
    EXPECT_NEAR(at_least(100ms) / with_long_frames, 1, 0.2);
}

// In a steady stream the long memory predicts best, after a change the short one.
TEST_F(TransitDistributionTest, MemoryThatPredictsBestDominates)
{
    for (int i = 0; i < 30'000; ++i)
        add(i % 40 == 0 ? 100ms : 0ms);
    EXPECT_NEAR(at_least(100ms), 0.025, 0.002);
    add(0ms, 15'000); // 300 s: 640 s of memory alone would say 1.5 %
    EXPECT_LT(at_least(100ms), 0.003);
}

TEST_F(TransitDistributionTest, MovesItsRangeDownForAShorterTransit)
{
    add(100ms, 100);
    add(0ms, 1);
    EXPECT_LE(transits_.low(), 0ms);
    EXPECT_NEAR(at_least(100ms), 0.99, 0.01);
    add(-2s, 1);
    EXPECT_LE(transits_.low(), -2s);
    EXPECT_GT(transits_.tail().back(), 0.95) << "the other transits are in the last bin";
}

TEST_F(TransitDistributionTest, MovesItsRangeUpAfterLongerTransits)
{
    add(0ms, 1000);
    add(400ms, 400'000); // until the earlier transits are negligible
    EXPECT_GT(transits_.low(), 350ms);
    EXPECT_LT(transits_.low(), 400ms);
    EXPECT_NEAR(at_least(400ms), 1, 0.002);
    EXPECT_NEAR(transits_.tail().front(), 1, 1e-9) << "no mass is lost";
}

TEST_F(TransitDistributionTest, TransitsBeyondTheLastBinCountInIt)
{
    add(0ms, 90);
    add(5s, 10);
    EXPECT_NEAR(at_least(500ms), 0.1, 0.01);
}

TEST_F(TransitDistributionTest, RestartsWhenTheStreamStaysBeyondTheLastBin)
{
    add(0ms, 1000);
    add(10s, 110);
    EXPECT_GT(transits_.low(), 9s);
    EXPECT_NEAR(at_least(10s), 1, 1e-9);
}

TEST_F(TransitDistributionTest, ProbabilitiesAreValidWithFramesLongerThanAMemory)
{
    for (const auto transit : {50ms, 0ms, 20ms, 0ms, 50ms, 0ms}) {
        add(transit, 1, 30s);
        const auto tail = transits_.tail();
        EXPECT_NEAR(tail.front(), 1, 1e-9);
        EXPECT_TRUE(std::is_sorted(tail.rbegin(), tail.rend()));
        EXPECT_GE(tail.back(), 0);
    }
    EXPECT_GT(at_least(50ms), 0);
}

TEST_F(TransitDistributionTest, WeightsStayFiniteAfterDays)
{
    add(0ms, 1'000'000, 100ms); // 10000 time constants of the shortest memory
    add(50ms, 1, 100ms);
    const auto tail = transits_.tail();
    EXPECT_NEAR(tail.front(), 1, 1e-6);
    EXPECT_GT(at_least(50ms), 0);
    EXPECT_LT(at_least(50ms), 0.02);
}

} // namespace
} // namespace jkvm
