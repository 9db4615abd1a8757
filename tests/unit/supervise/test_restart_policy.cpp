// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/supervise/restart_policy.h"

#include <gtest/gtest.h>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

class RestartPolicyTest : public ::testing::Test {
protected:
    /// Ends a child that was healthy for that time, and returns the delay until the next start.
    nanoseconds delay_after(nanoseconds healthy)
    {
        const auto decision = policy_.on_child_ended(healthy, now_);
        is_limit_reached_ = decision.is_limit_reached;
        return decision.start - now_;
    }

    RestartPolicy policy_{RestartLimits{}};
    MonotonicTime now_{1h};
    bool is_limit_reached_ = false;
};

TEST_F(RestartPolicyTest, RestartsAHealthyChildImmediately)
{
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(delay_after(RestartPolicy::min_healthy), 0s);
        EXPECT_FALSE(is_limit_reached_);
        now_ += 1s;
    }
}

TEST_F(RestartPolicyTest, DoublesTheDelayWithEachEarlyFailure)
{
    for (const auto delay : {2s, 4s, 8s, 16s, 30s}) {
        EXPECT_EQ(delay_after(RestartPolicy::min_healthy - 1ns), delay);
        EXPECT_FALSE(is_limit_reached_);
        now_ += delay;
    }
}

TEST_F(RestartPolicyTest, ResetsTheDelayAfterAHealthyChild)
{
    EXPECT_EQ(delay_after(0s), 2s);
    EXPECT_EQ(delay_after(0s), 4s);
    EXPECT_EQ(delay_after(10s), 0s);
    EXPECT_EQ(delay_after(0s), 2s);
}

TEST_F(RestartPolicyTest, AllowsFiveRestartsInFiveMinutes)
{
    for (int i = 0; i < 5; ++i) {
        delay_after(1s);
        now_ += 59s;
    }
    ASSERT_FALSE(is_limit_reached_);
    now_ += 5min - 5 * 59s - 1ns; // the first restart is still in the window
    delay_after(1s);
    EXPECT_TRUE(is_limit_reached_);
}

TEST_F(RestartPolicyTest, IgnoresRestartsBeforeTheWindow)
{
    for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(delay_after(1s), 0s);
        EXPECT_FALSE(is_limit_reached_);
        now_ += 1min;
    }
}

TEST_F(RestartPolicyTest, DelaysRestartsBeyondTheLimitUntilAChildStaysHealthy)
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

TEST(RestartPolicy, AllowsNoRestartWithALimitOfZero)
{
    RestartPolicy policy({.max_restarts = 0});
    EXPECT_TRUE(policy.on_child_ended(1h, MonotonicTime(1h)).is_limit_reached);
}

TEST(RestartPolicy, KeepsADelayOfZero)
{
    RestartPolicy policy({.delay = 0s});
    for (int i = 0; i < 5; ++i)
        EXPECT_EQ(policy.on_child_ended(0s, MonotonicTime(1h)).start, MonotonicTime(1h));
}

} // namespace
} // namespace jkvm
