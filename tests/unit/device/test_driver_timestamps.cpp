// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/device/driver_timestamps.h"

#include <gtest/gtest.h>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

constexpr MonotonicTime now{1h};

TEST(DriverTimestamps, ReturnsTheAgeOfPlausibleTimestamps)
{
    DriverTimestamps stamps;
    EXPECT_EQ(stamps.age(now - 3ms, now), 3ms);
    EXPECT_EQ(stamps.age(now, now), 0ms);
    EXPECT_EQ(stamps.age(now - 1s, now), 1s);
}

TEST(DriverTimestamps, RejectsTheFutureAndTheDistantPast)
{
    DriverTimestamps stamps;
    EXPECT_EQ(stamps.age(now + 1ns, now), 0ms);
    EXPECT_EQ(stamps.age(now - 1001ms, now), 0ms);
    EXPECT_EQ(stamps.age(MonotonicTime{}, now), 0ms); // a driver without timestamps
    EXPECT_TRUE(stamps.are_used());
}

TEST(DriverTimestamps, AreNotUsedAfterFiveImplausibleOnesInARow)
{
    DriverTimestamps stamps;
    for (int i = 0; i < 4; ++i)
        stamps.age(now + 1s, now);
    stamps.age(now - 1ms, now); // not in a row
    for (int i = 0; i < 4; ++i)
        stamps.age(now + 1s, now);
    EXPECT_EQ(stamps.age(now - 1ms, now), 1ms);
    for (int i = 0; i < 5; ++i)
        stamps.age(now + 1s, now);
    EXPECT_FALSE(stamps.are_used());
    EXPECT_EQ(stamps.age(now - 1ms, now), 0ms);
}

} // namespace
} // namespace jkvm
