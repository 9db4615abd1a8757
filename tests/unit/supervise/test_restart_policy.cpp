// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/supervise/restart_policy.h"

#include <gtest/gtest.h>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

class Restarts : public ::testing::Test {
protected:
    /// A child that was healthy for so long ends; how long until the next one starts.
    nanoseconds delay_after(nanoseconds healthy)
    {
        const auto decision = policy_.child_ended(healthy, now_);
        is_limit_reached_ = decision.is_limit_reached;
        return decision.start - now_;
    }

    RestartPolicy policy_{RestartLimits{}};
    MonotonicTime now_{1h};
    bool is_limit_reached_ = false;
};

TEST_F(Restarts, ComeAtOnceForAChildThatHadLived)
{
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(delay_after(RestartPolicy::youth), 0s);
        EXPECT_FALSE(is_limit_reached_);
        now_ += 1s;
    }
}

TEST_F(Restarts, AreDelayedTwiceAsLongForEachChildThatDiesYoung)
{
    for (const auto delay : {2s, 4s, 8s, 16s, 30s}) {
        EXPECT_EQ(delay_after(RestartPolicy::youth - 1ns), delay);
        EXPECT_FALSE(is_limit_reached_);
        now_ += delay;
    }
}

TEST_F(Restarts, ComeAtOnceAgainWhenOneHasLived)
{
    EXPECT_EQ(delay_after(0s), 2s);
    EXPECT_EQ(delay_after(0s), 4s);
    EXPECT_EQ(delay_after(10s), 0s);
    EXPECT_EQ(delay_after(0s), 2s);
}

TEST_F(Restarts, AreFiveInFiveMinutesAtMost)
{
    for (int i = 0; i < 5; ++i) {
        delay_after(1s);
        now_ += 59s;
    }
    ASSERT_FALSE(is_limit_reached_);
    now_ += 5min - 5 * 59s - 1ns; // the first one still counts
    delay_after(1s);
    EXPECT_TRUE(is_limit_reached_);
}

TEST_F(Restarts, OlderThanTheWindowDoNotCount)
{
    for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(delay_after(1s), 0s);
        EXPECT_FALSE(is_limit_reached_);
        now_ += 1min;
    }
}

TEST_F(Restarts, BeyondTheLimitAreSlowUntilAChildHasLivedForLong)
{
    for (int i = 0; i < 5; ++i)
        delay_after(1s);
    for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(delay_after(1s), 30s);
        EXPECT_TRUE(is_limit_reached_);
        now_ += 31s;
    }
    now_ += 5min;
    EXPECT_EQ(delay_after(5min), 0s);
    EXPECT_FALSE(is_limit_reached_);
}

TEST(RestartLimit, OfZeroAllowsNone)
{
    RestartPolicy policy({.max_restarts = 0});
    EXPECT_TRUE(policy.child_ended(1h, MonotonicTime(1h)).is_limit_reached);
}

TEST(RestartDelay, OfZeroStaysZero)
{
    RestartPolicy policy({.delay = 0s});
    for (int i = 0; i < 5; ++i)
        EXPECT_EQ(policy.child_ended(0s, MonotonicTime(1h)).start, MonotonicTime(1h));
}

} // namespace
} // namespace jkvm
