// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/playout/fixed_delay.h"

#include <gtest/gtest.h>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

class FixedDelayTest : public testing::Test {
protected:
    void observe(nanoseconds transit, nanoseconds minimum)
    {
        policy_.observe({0s, transit, minimum, transit, 20ms});
    }

    FixedDelayPolicy policy_{{60ms}};
};

TEST_F(FixedDelayTest, StartsWithTheConfiguredDelay)
{
    EXPECT_EQ(policy_.start_delay(), 60ms);
}

TEST_F(FixedDelayTest, TargetIsTheDelayAboveTheMinimumTransit)
{
    observe(30ms, 5ms);
    EXPECT_EQ(policy_.target(), 65ms);
    EXPECT_EQ(policy_.request_change({0s, 85ms, 20ms, 0ms, false, true}), -20ms);
    EXPECT_EQ(policy_.request_change({1s, 45ms, 20ms, 0ms, false, true}), 20ms);
    EXPECT_EQ(policy_.request_change({2s, 65ms, 20ms, 0ms, false, true}), 0ms);
}

TEST_F(FixedDelayTest, PrefersTheOffsetClosestToTheTarget)
{
    observe(0ms, 0ms);
    EXPECT_LT(policy_.cost(55ms), policy_.cost(70ms));
    EXPECT_LT(policy_.cost(65ms), policy_.cost(50ms));
}

TEST_F(FixedDelayTest, NewDelayAppliesImmediatelyAndResetDiscardsTheTransit)
{
    observe(30ms, 5ms);
    policy_.configure({100ms});
    EXPECT_EQ(policy_.target(), 105ms);
    policy_.reset();
    EXPECT_EQ(policy_.target(), 100ms);
}

} // namespace
} // namespace jkvm
