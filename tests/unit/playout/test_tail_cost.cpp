// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/playout/tail_cost.h"

#include <gtest/gtest.h>

#include <cmath>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

class TailCostTest : public testing::Test {
protected:
    void observe(nanoseconds transit, int times = 1)
    {
        for (int i = 0; i < times; ++i)
            policy_.observe({0s, transit, 0ms, 0ms, 20ms});
    }
    nanoseconds change(nanoseconds time, nanoseconds offset, bool is_quiet = false,
                       bool can_drop = true)
    {
        return policy_.request_change({time, offset, 20ms, 0ms, is_quiet, can_drop});
    }

    TailCostPolicy policy_{TailCostConfig{}};
};

TEST_F(TailCostTest, TargetMinimisesTheCostOfDelayAndLateness)
{
    // One frame in 500 takes 25 ms longer, which costs 30 ms. One in 1000 costs only 15 ms.
    for (int i = 0; i < 5000; ++i)
        observe(i % 500 == 0 ? 25ms : 0ms);
    EXPECT_NEAR(milliseconds_of(policy_.target()), 27.5, 2.5);
    policy_.reset();
    for (int i = 0; i < 5000; ++i)
        observe(i % 1000 == 0 ? 25ms : 0ms);
    EXPECT_NEAR(milliseconds_of(policy_.target()), 2.5, 2.5);
}

TEST_F(TailCostTest, HigherLateCostRaisesTheTarget)
{
    for (int i = 0; i < 5000; ++i)
        observe(i % 1000 == 0 ? 25ms : 0ms);
    policy_.configure({60000});
    EXPECT_NEAR(milliseconds_of(policy_.target()), 27.5, 2.5);
}

TEST_F(TailCostTest, OffsetBelowEveryTransitHasInfiniteCost)
{
    observe(100ms, 10);
    EXPECT_TRUE(std::isinf(policy_.cost(0ms)));
    EXPECT_LT(policy_.cost(110ms), policy_.cost(100ms));
}

TEST_F(TailCostTest, DelayBeyondEveryTransitCostsItsDuration)
{
    observe(0ms, 100);
    EXPECT_NEAR(policy_.cost(50ms) - policy_.cost(40ms), 10, 1e-9);
    EXPECT_NEAR(policy_.cost(2000ms) - policy_.cost(1900ms), 100, 1e-9);
    EXPECT_NEAR(policy_.cost(590ms) - policy_.cost(500ms), 90, 2.5);
}

TEST_F(TailCostTest, DropsAFrameWhenTheDelayIsNotNeeded)
{
    observe(0ms, 100);
    EXPECT_EQ(change(0s, 30ms), -20ms);
}

TEST_F(TailCostTest, KeepsTheDelayThatPreventsLateFrames)
{
    for (int i = 0; i < 1000; ++i)
        observe(i % 100 == 0 ? 25ms : 0ms);
    EXPECT_EQ(change(0s, 30ms), 0ms);
}

// 20 ms less delay for 40 s gains 800 ms s; a dropped frame costs late_cost x 20 ms.
TEST_F(TailCostTest, DropsOnlyIfTheGainExceedsThePriceOfAFrame)
{
    observe(0ms, 100);
    policy_.configure({39000});
    EXPECT_EQ(change(0s, 30ms), -20ms);
    policy_.configure({41000});
    EXPECT_EQ(change(1s, 30ms), 0ms);
}

TEST_F(TailCostTest, QuietFrameHasALowerPrice)
{
    observe(0ms, 100);
    policy_.configure({500'000});
    EXPECT_EQ(change(0s, 30ms, false), 0ms);
    EXPECT_EQ(change(1s, 30ms, true), -20ms);
}

TEST_F(TailCostTest, ConsidersADropOnlyWhenAQuietFrameWouldBeDropped)
{
    observe(0ms, 100);
    EXPECT_FALSE(policy_.is_drop_considered());
    policy_.configure({500'000});
    EXPECT_EQ(change(0s, 30ms), 0ms);
    EXPECT_TRUE(policy_.is_drop_considered());
    change(1s, 2500us);
    EXPECT_FALSE(policy_.is_drop_considered());
}

TEST_F(TailCostTest, ChecksAgainAfterAnIntervalOrADrop)
{
    for (int i = 0; i < 100; ++i)
        observe(i % 10 == 0 ? 25ms : 0ms);
    EXPECT_EQ(change(1000ms, 30ms), 0ms);
    EXPECT_EQ(change(1099ms, 90ms), 0ms);
    EXPECT_EQ(change(1100ms, 90ms), -20ms);
    EXPECT_EQ(change(1120ms, 70ms), -20ms);
    EXPECT_EQ(change(1140ms, 50ms), -20ms) << "back to the 30 ms it started from";
    EXPECT_EQ(change(1160ms, 30ms), 0ms);
    EXPECT_EQ(change(1180ms, 90ms), 0ms);
}

TEST_F(TailCostTest, DoesNotDropTheOnlyQueuedFrame)
{
    observe(0ms, 100);
    EXPECT_EQ(change(0s, 90ms, false, false), 0ms);
    EXPECT_EQ(change(100ms, 90ms), -20ms);
}

TEST_F(TailCostTest, NeverConcealsToRaiseTheDelay)
{
    for (int i = 0; i < 1000; ++i)
        observe(i % 10 == 0 ? 100ms : 0ms);
    for (int i = 0; i < 100; ++i)
        EXPECT_LE(change(i * 20ms, 1ms), 0ms);
}

TEST_F(TailCostTest, ConcealsUntilHalfOfTheLateFramesHaveArrived)
{
    observe(5ms);
    // Of the late frames, 6 in 10 arrive at 13 ms, and the others at 90 ms.
    for (int i = 0; i < 1000; ++i)
        observe(i % 10 != 0 ? 5ms : i % 100 < 60 ? 13ms : 90ms);
    EXPECT_EQ(policy_.conceal_step(10ms, 2500us, 20ms), 5ms);
    EXPECT_EQ(policy_.conceal_step(10ms, 10ms, 20ms), 10ms) << "the granularity of the codec";
    EXPECT_EQ(policy_.conceal_step(15ms, 2500us, 20ms), 20ms) << "at most";
}

TEST_F(TailCostTest, ConcealsBrieflyIfTransitsHardlyVary)
{
    for (int i = 0; i < 1000; ++i)
        observe(5ms + i % 8 * 300us);
    EXPECT_EQ(policy_.conceal_step(30ms, 2500us, 20ms), 2500us) << "later than all before";
}

TEST_F(TailCostTest, ConcealsAsLongAsPossibleWhileFewFramesAreKnown)
{
    observe(5ms, 199);
    EXPECT_EQ(policy_.conceal_step(10ms, 2500us, 20ms), 20ms);
    observe(5ms);
    EXPECT_LT(policy_.conceal_step(10ms, 2500us, 20ms), 20ms);
}

TEST_F(TailCostTest, ResetDiscardsTheDistribution)
{
    observe(100ms, 1000);
    policy_.reset();
    observe(0ms, 10);
    EXPECT_NEAR(milliseconds_of(policy_.target()), 2.5, 2.5);
}

} // namespace
} // namespace jkvm
