// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/playback/ring_target.h"

#include <gtest/gtest.h>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

constexpr MonotonicTime start{1h};

TEST(RingTarget, StartsAt24MsWithinItsBounds)
{
    EXPECT_EQ(RingTarget(5ms, 200ms).time(), 24ms);
    EXPECT_EQ(RingTarget(30ms, 200ms).time(), 30ms);
    EXPECT_EQ(RingTarget(5ms, 15ms).time(), 15ms);
}

TEST(RingTarget, GrowsByHalfAfterAnUnderrun)
{
    RingTarget target(5ms, 100ms);
    EXPECT_FALSE(target.on_write(20ms, start));
    EXPECT_TRUE(target.on_write(-4ms, start + 1s));
    EXPECT_EQ(target.time(), 36ms);
    EXPECT_FALSE(target.on_write(-4ms, start + 1020ms)); // the same delay
    EXPECT_EQ(target.time(), 36ms);
}

TEST(RingTarget, GrowsByHalfAfterThirdNearMissWithinAMinute)
{
    RingTarget target(5ms, 100ms);
    EXPECT_FALSE(target.on_write(2ms, start));
    EXPECT_FALSE(target.on_write(2ms, start + 20s));
    EXPECT_TRUE(target.on_write(2ms, start + 40s));
    EXPECT_EQ(target.time(), 36ms);
}

TEST(RingTarget, IgnoresNearMissesFarApart)
{
    RingTarget target(5ms, 100ms);
    for (int i = 0; i < 100; ++i)
        EXPECT_FALSE(target.on_write(2ms, start + i * 31s));
}

TEST(RingTarget, StopsGrowingAtItsUpperBound)
{
    RingTarget target(5ms, 50ms);
    int growths = 0;
    for (int i = 0; i < 10; ++i)
        growths += target.on_write(0ms, start + i * 2s) ? 1 : 0;
    EXPECT_EQ(growths, 2);
    EXPECT_EQ(target.time(), 50ms);
}

} // namespace
} // namespace jkvm
