// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/playback/timestamp_rate.h"

#include <gtest/gtest.h>

#include <cmath>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

constexpr nanoseconds frame = 20ms;
constexpr MonotonicTime start{1h};

class TimestampRateTest : public ::testing::Test {
protected:
    /// The result for a packet whose timestamp is `interval` after the one before.
    double next(nanoseconds interval, nanoseconds duration)
    {
        timestamp_ += interval;
        return rate_.next({.timestamp = timestamp_,
                           .duration = duration,
                           .samples = frame,
                           .due = start + timestamp_});
    }

    TimestampRate rate_;
    nanoseconds timestamp_{0};
};

TEST_F(TimestampRateTest, IsZeroForTimestampsThatCountSamples)
{
    for (int i = 0; i < 10; ++i)
        EXPECT_NEAR(next(frame, frame), 0, 1e-6);
}

TEST_F(TimestampRateTest, FollowsStretchedDurationsFromTheFirstPacketOn)
{
    EXPECT_NEAR(next(frame, frame), 0, 1e-6);
    EXPECT_NEAR(next(frame, 20100us), 5000, 1e-6);
    EXPECT_NEAR(next(20100us, 19900us), -5000, 1e-6);
    EXPECT_NEAR(next(19900us, frame), 0, 1e-6);
}

TEST_F(TimestampRateTest, FollowsEqualIntervalsIfDurationsAreNominal)
{
    for (int i = 0; i < 4; ++i)
        (void)next(20100us, frame);
    EXPECT_NEAR(next(20100us, frame), 5000, 1e-6);
    for (int i = 0; i < 4; ++i)
        (void)next(19900us, 0ns);
    EXPECT_NEAR(next(19900us, 0ns), -5000, 1e-6);
}

TEST_F(TimestampRateTest, IgnoresJitter)
{
    for (int i = 0; i < 50; ++i)
        EXPECT_NEAR(next(frame + (i * 37 % 11 - 5) * 10us, frame), 0, 1e-6) << i;
}

TEST_F(TimestampRateTest, IgnoresJumpsAndMillisecondTimestamps)
{
    (void)next(frame, frame);
    EXPECT_NEAR(next(60ms, frame), 0, 1e-6);
    EXPECT_NEAR(next(21ms, 21ms), 0, 1e-6);
    EXPECT_NEAR(next(19ms, 19ms), 0, 1e-6);
}

TEST_F(TimestampRateTest, FollowsTheDriftOfTheTimestampsClock)
{
    // The clock of the timestamps is 300 ppm fast: they are due earlier.
    double result = 0;
    for (int i = 0; i < 3000; ++i) {
        timestamp_ += frame;
        const auto due =
            start +
            nanoseconds(std::llround(static_cast<double>(timestamp_.count()) / (1 + 300e-6)));
        result =
            rate_.next({.timestamp = timestamp_, .duration = frame, .samples = frame, .due = due});
    }
    EXPECT_NEAR(result, -300, 0.1);
}

TEST_F(TimestampRateTest, KeepsItsRateWhenTheLatencyChanges)
{
    for (int i = 0; i < 1000; ++i)
        (void)next(frame, frame);
    timestamp_ += frame;
    double result = 0;
    for (int i = 0; i < 100; ++i) {
        result = rate_.next({.timestamp = timestamp_,
                             .duration = frame,
                             .samples = frame,
                             .due = start + timestamp_ + 12ms});
        ASSERT_NEAR(result, 0, 0.01) << i;
        timestamp_ += frame;
    }
}

} // namespace
} // namespace jkvm
