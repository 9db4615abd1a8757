// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/playback/pointer_stall_detector.h"

#include <gtest/gtest.h>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

constexpr MonotonicTime start{1h};

TEST(PointerStallDetector, ReportsAPointerThatDoesNotMoveFor100Ms)
{
    PointerStallDetector stall(0ms);
    stall.on_reading(480, start);
    stall.on_reading(960, start + 10ms);
    stall.on_reading(960, start + 50ms);
    EXPECT_EQ(stall.deadline(), start + 110ms);
    EXPECT_FALSE(stall.is_stalled(start + 109ms));
    EXPECT_TRUE(stall.is_stalled(start + 110ms));
    stall.on_reading(961, start + 111ms);
    EXPECT_FALSE(stall.is_stalled(start + 112ms));
}

TEST(PointerStallDetector, AllowsAPeriodMoreOnADeviceThatMovesByPeriods)
{
    PointerStallDetector stall(20ms);
    stall.on_reading(0, start);
    EXPECT_FALSE(stall.is_stalled(start + 119ms));
    EXPECT_TRUE(stall.is_stalled(start + 120ms));
}

TEST(PointerStallDetector, GivesARestartedDeviceTheWholeLimit)
{
    PointerStallDetector stall(0ms);
    EXPECT_FALSE(stall.is_stalled(start));
    stall.on_reading(0, start);
    stall.restart();
    EXPECT_FALSE(stall.is_stalled(start + 1s));
    stall.on_reading(0, start + 1s);
    EXPECT_FALSE(stall.is_stalled(start + 1s + 99ms));
    EXPECT_TRUE(stall.is_stalled(start + 1s + 100ms));
}

} // namespace
} // namespace jkvm
