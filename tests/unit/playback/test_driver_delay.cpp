// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/playback/driver_delay.h"

#include <gtest/gtest.h>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

class DriverDelayTest : public ::testing::Test {
protected:
    /// Lets the pointer move every 20 ms; each time the driver reports `delay`. Returns how often
    /// it was asked.
    int run(nanoseconds time, nanoseconds delay)
    {
        int count = 0;
        for (const auto end = now_ + time; now_ < end; now_ += 20ms) {
            if (!delay_.is_due(now_))
                continue;
            delay_.on_measurement(delay, now_);
            ++count;
        }
        return count;
    }

    DriverDelay delay_;
    MonotonicTime now_{1h};
};

TEST_F(DriverDelayTest, IsMeasuredOncePerSecondAfterTheStart)
{
    EXPECT_EQ(run(320ms, 5ms), 16);
    EXPECT_EQ(delay_.value(), 5ms);
    EXPECT_EQ(run(10s, 5ms), 10);
    delay_.restart();
    EXPECT_EQ(run(320ms, 5ms), 16);
    EXPECT_EQ(run(10s, 5ms), 10);
}

TEST_F(DriverDelayTest, FollowsAChangeWithinThreeSeconds)
{
    run(10s, 5ms);
    run(3s, 25ms);
    EXPECT_GE(delay_.value(), 23ms);
    EXPECT_EQ(run(10s, 25ms), 10) << "measured once per second when it has settled";
}

TEST_F(DriverDelayTest, IgnoresChangesWithinTheTolerance)
{
    run(10s, 5ms);
    for (int i = 0; i < 100; ++i) {
        run(500ms, 5900us);
        run(500ms, 4100us);
    }
    EXPECT_EQ(delay_.value(), 5ms);
}

TEST_F(DriverDelayTest, TakesTheFirstMeasurementOfAnotherDevice)
{
    run(10s, 5ms);
    delay_.reset();
    EXPECT_EQ(delay_.value(), 5ms);
    run(20ms, 40ms);
    EXPECT_EQ(delay_.value(), 40ms);
}

} // namespace
} // namespace jkvm
