// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/audio/frame_stamper.h"

#include <gtest/gtest.h>

#include <array>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

class FrameStamperTest : public testing::Test {
protected:
    /// A 20 ms packet captured `age` before the pipeline's running time is `running`.
    auto stamp(nanoseconds running, nanoseconds age)
    {
        const ClockPair now{running, WallTime(1'700'000'000s) + running};
        return stamper_.stamp(packet_, now.wall - age, now);
    }

    const std::array<std::byte, 2> packet_{std::byte{0xFC}, std::byte{1}};
    FrameStamper stamper_;
};

TEST_F(FrameStamperTest, FrameStandsAtItsCaptureTimeOnThePipelinesClock)
{
    const auto frame = stamp(1000ms, 30ms);
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->time, 970ms);
    EXPECT_EQ(frame->duration, 20ms);
    EXPECT_EQ(frame->latency, 30ms);
    EXPECT_TRUE(frame->discontinuity);
}

TEST_F(FrameStamperTest, JitterOfTheWayShowsInTheLatencyOnly)
{
    stamp(1000ms, 30ms);
    const auto frame = stamp(1035ms, 45ms);
    EXPECT_EQ(frame->time, 990ms);
    EXPECT_EQ(frame->latency, 45ms);
    EXPECT_FALSE(frame->discontinuity);
    EXPECT_EQ(stamper_.stats().latency.values().maximum, 45ms);
}

TEST_F(FrameStamperTest, HoleIsCountedInFrames)
{
    stamp(1000ms, 30ms);
    const auto frame = stamp(1120ms, 30ms); // 1020 was due
    EXPECT_EQ(frame->time, 1090ms);
    EXPECT_TRUE(frame->discontinuity);
    EXPECT_EQ(stamper_.stats().lost, 5u);
}

TEST_F(FrameStamperTest, ReconnectIsAHoleOfItsTrueLength)
{
    stamp(1000ms, 30ms);
    stamper_.expect_hole();
    EXPECT_TRUE(stamp(1040ms, 30ms)->discontinuity);
    EXPECT_EQ(stamper_.stats().lost, 1u);
}

TEST_F(FrameStamperTest, CaptureTimeOfTheFutureOrOfLongAgoDoesNotCount)
{
    EXPECT_EQ(stamp(1000ms, -1ms)->time, 980ms);
    EXPECT_EQ(stamper_.stats().implausible_timestamps, 1u);
    stamper_.restart();
    EXPECT_EQ(stamp(20000ms, 10001ms)->time, 19980ms);
    EXPECT_EQ(stamper_.stats().implausible_timestamps, 2u);
    stamper_.restart();
    EXPECT_EQ(stamp(20000ms, 10000ms)->time, 10000ms);
    EXPECT_EQ(stamper_.stats().implausible_timestamps, 2u);
}

TEST_F(FrameStamperTest, NoCaptureTimeIsSoStrangeThatItDoesHarm)
{
    const ClockPair now{1000ms, WallTime(1'700'000'000s)};
    for (const auto captured : {WallTime::min(), WallTime::max(), WallTime{}}) {
        stamper_.restart();
        EXPECT_EQ(stamper_.stamp(packet_, captured, now)->time, 980ms);
    }
}

TEST_F(FrameStamperTest, BurstWithoutCaptureTimesIsSpreadOutAndNeverStepsBack)
{
    const ClockPair now{1000ms, WallTime(1'700'000'000s)};
    for (int i = 0; i < 8; ++i)
        EXPECT_EQ(stamper_.stamp(packet_, WallTime{}, now)->time, 980ms + i * 20ms);
    EXPECT_EQ(stamper_.stats().lost, 0u);
}

TEST_F(FrameStamperTest, FrameFromBeforeThePipelineHasANegativeTime)
{
    EXPECT_EQ(stamp(10ms, 30ms)->time, -20ms);
    EXPECT_EQ(stamp(30ms, 30ms)->time, 0ms);
}

TEST_F(FrameStamperTest, WhatIsNoOpusPacketIsCountedAndChangesNothing)
{
    stamp(1000ms, 30ms);
    const ClockPair now{1010ms, WallTime(1'700'000'000s)};
    EXPECT_FALSE(stamper_.stamp({}, now.wall, now));
    EXPECT_EQ(stamper_.stats().invalid, 1u);
    EXPECT_EQ(stamper_.stats().frames, 1u);
    EXPECT_FALSE(stamp(1020ms, 30ms)->discontinuity);
}

} // namespace
} // namespace jkvm
