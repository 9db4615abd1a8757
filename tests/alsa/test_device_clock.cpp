// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests the clock of the virtual devices with artificial times.
#include "alsa/device_clock.h"

#include <gtest/gtest.h>

namespace jkvm::testing {
namespace {

constexpr int64_t ms = 1'000'000;
constexpr int64_t second = 1000 * ms;
constexpr int64_t begin = 5000 * second;
constexpr uint64_t no_limit = ~uint64_t{0};

class DeviceClockTest : public ::testing::Test {
protected:
    DeviceClockTest()
    {
        clock_.set_rate(48000, begin - second);
        clock_.start(begin);
    }

    uint64_t frames_after(int64_t elapsed)
    {
        return clock_.advance(begin + elapsed * ms, no_limit);
    }

    DeviceClock clock_;
};

TEST_F(DeviceClockTest, DeliversFramesAtItsRate)
{
    EXPECT_EQ(frames_after(0), 0u);
    EXPECT_EQ(frames_after(10), 480u);
    EXPECT_EQ(frames_after(86'400'000), 48000u * 86400);
    EXPECT_EQ(clock_.frames(), 48000u * 86400);
}

TEST_F(DeviceClockTest, PredictsWhenFramesAreDelivered)
{
    EXPECT_EQ(clock_.time_of(480), begin + 10 * ms);
    const int64_t third = clock_.time_of(1);
    EXPECT_EQ(clock_.advance(third - 1, no_limit), 0u);
    EXPECT_EQ(clock_.advance(third, no_limit), 1u);
}

TEST_F(DeviceClockTest, DriftsByPartsPerMillion)
{
    frames_after(1000);
    clock_.set_drift(1000, begin + second);
    EXPECT_EQ(frames_after(2000), 96048u);
    clock_.set_drift(-1000, begin + 2 * second);
    EXPECT_EQ(frames_after(3000), 144000u);
}

TEST_F(DeviceClockTest, FollowsTheTrueRateOfItsSource)
{
    clock_.set_source_rate(44100, begin);
    EXPECT_EQ(frames_after(1000), 44100u);
    clock_.set_source_rate(0, begin + second);
    EXPECT_EQ(frames_after(2000), 92100u);
}

TEST_F(DeviceClockTest, StopsWhileFrozenAndContinuesWithoutAGap)
{
    frames_after(100);
    clock_.freeze(500 * ms, begin + 100 * ms);
    EXPECT_TRUE(clock_.is_frozen(begin + 599 * ms));
    EXPECT_EQ(frames_after(599), 4800u);
    EXPECT_EQ(clock_.time_of(4800 + 480), begin + 610 * ms);
    EXPECT_FALSE(clock_.is_frozen(begin + 600 * ms));
    EXPECT_EQ(frames_after(610), 5280u);
    EXPECT_EQ(clock_.content_position(5279), 5279u);
}

TEST_F(DeviceClockTest, ThawsAtOnce)
{
    clock_.freeze(second, begin + 100 * ms);
    clock_.freeze(0, begin + 200 * ms);
    EXPECT_FALSE(clock_.is_frozen(begin + 200 * ms));
    EXPECT_EQ(frames_after(300), 9600u);
}

TEST_F(DeviceClockTest, StaysFrozenWhenItsSpeedChanges)
{
    clock_.freeze(second, begin);
    clock_.set_drift(500'000, begin + 500 * ms);
    EXPECT_EQ(frames_after(1000), 0u);
    EXPECT_EQ(frames_after(2000), 72000u);
}

TEST_F(DeviceClockTest, LosesTheContentBetweenTwoStarts)
{
    EXPECT_EQ(frames_after(100), 4800u);
    clock_.start(begin + 150 * ms);
    EXPECT_EQ(frames_after(150), 0u);
    EXPECT_EQ(frames_after(160), 480u);
    EXPECT_EQ(clock_.content_position(0), 7200u);
    EXPECT_EQ(clock_.content_position(480), 7680u);
}

TEST_F(DeviceClockTest, StartsAtFrameZeroIfStartedLate)
{
    EXPECT_EQ(clock_.content_position(0), 0u);
}

TEST(DeviceClock, HasRunSinceItsEpoch)
{
    DeviceClock clock;
    clock.run_since(begin);
    clock.set_rate(48000, begin + second);
    clock.start(begin + 2 * second);
    EXPECT_EQ(clock.content_position(0), 96000u);
    EXPECT_EQ(clock.advance(begin + 3 * second, no_limit), 48000u);
}

TEST(DeviceClock, CanBeFrozenBeforeItIsStarted)
{
    DeviceClock clock;
    clock.set_rate(48000, begin);
    clock.freeze(second, begin);
    clock.start(begin + 500 * ms);
    EXPECT_EQ(clock.advance(begin + second, no_limit), 0u);
    EXPECT_EQ(clock.advance(begin + 2 * second, no_limit), 48000u);
}

TEST(DeviceClock, DeliversNoFramesWithoutAStart)
{
    DeviceClock clock;
    clock.set_rate(48000, begin);
    EXPECT_EQ(clock.time_of(1), DeviceClock::never);
    EXPECT_EQ(clock.advance(begin + second, no_limit), 0u);
}

TEST_F(DeviceClockTest, LosesContentForItsDuration)
{
    frames_after(100);
    clock_.lose(480);
    EXPECT_EQ(frames_after(110), 4800u);
    EXPECT_EQ(clock_.time_of(4801), begin + 110 * ms + 20834);
    EXPECT_EQ(frames_after(120), 5280u);
    EXPECT_EQ(clock_.content_position(4799), 4799u);
    EXPECT_EQ(clock_.content_position(4800), 5280u);
}

TEST_F(DeviceClockTest, AccumulatesLosses)
{
    frames_after(100);
    clock_.lose(100);
    frames_after(200);
    clock_.lose(10);
    EXPECT_EQ(clock_.content_position(9500 - 1), 9500u - 1 + 100);
    EXPECT_EQ(clock_.content_position(9500), 9500u + 110);
}

TEST_F(DeviceClockTest, LosesTheTimeItWasSuspended)
{
    frames_after(100);
    clock_.suspend(begin + 100 * ms);
    EXPECT_EQ(frames_after(200), 4800u);
    EXPECT_EQ(clock_.time_of(4801), DeviceClock::never);
    clock_.resume(begin + 300 * ms);
    EXPECT_EQ(frames_after(310), 5280u);
    EXPECT_EQ(clock_.content_position(4799), 4799u);
    EXPECT_EQ(clock_.content_position(4800), 14400u);
}

TEST_F(DeviceClockTest, RunsAfterAStartInSuspension)
{
    clock_.suspend(begin + 100 * ms);
    clock_.start(begin + 200 * ms);
    EXPECT_EQ(frames_after(210), 480u);
}

TEST_F(DeviceClockTest, WaitsForItsReaderOnlyWhenItRunsFree)
{
    clock_.set_source_rate(48000 * 7.9, begin);
    EXPECT_FALSE(clock_.is_free_running());
    EXPECT_EQ(clock_.advance(begin + second, 1000), 379200u);
    clock_.set_source_rate(1e9, begin + second);
    EXPECT_TRUE(clock_.is_free_running());
    EXPECT_EQ(clock_.advance(begin + 2 * second, 400000), 400000u);
    EXPECT_EQ(clock_.advance(begin + 3 * second, 401000), 401000u);
    EXPECT_EQ(clock_.content_position(400999), 400999u);
}

TEST_F(DeviceClockTest, NeverDecreasesItsFrames)
{
    frames_after(100);
    clock_.lose(4800);
    EXPECT_EQ(frames_after(150), 4800u);
    EXPECT_EQ(frames_after(200), 4800u);
}

} // namespace
} // namespace jkvm::testing
