// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/receive/received_stream.h"

#include <gtest/gtest.h>

#include <array>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

constexpr WallTime epoch_of_running_time{1'700'000'000s};

class ReceivedStreamTest : public testing::Test {
protected:
    ReceivedStreamTest() { stream_.begin_connection(); }

    static ClockPair at(nanoseconds running) { return {running, epoch_of_running_time + running}; }

    /// A 20 ms packet that arrives at `running` and was captured `age` before.
    std::optional<ReceivedStream::Frame> take(nanoseconds running, nanoseconds age)
    {
        return take_captured_at(at(running).wall - age, running);
    }
    std::optional<ReceivedStream::Frame> take_captured_at(WallTime captured, nanoseconds running)
    {
        const auto outcome = stream_.take(wire::OpusFrame{packet_, captured}, at(running));
        const auto *frame = std::get_if<ReceivedStream::Frame>(&outcome);
        return frame != nullptr ? std::optional(*frame) : std::nullopt;
    }
    void take_control(const wire::Message &message)
    {
        EXPECT_TRUE(std::holds_alternative<std::monostate>(stream_.take(message, at(0ns))));
    }

    const std::array<std::byte, 2> packet_{std::byte{0xFC}, std::byte{1}};
    ReceivedStream stream_;
};

TEST_F(ReceivedStreamTest, FrameStandsAtItsCaptureTimeOnThePipelinesClock)
{
    const auto frame = take(1000ms, 30ms);
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->time, 970ms);
    EXPECT_EQ(frame->duration, 20ms);
    EXPECT_EQ(frame->captured, epoch_of_running_time + 970ms);
    EXPECT_EQ(frame->packet.data(), packet_.data());
    EXPECT_TRUE(frame->discontinuity);
    EXPECT_EQ(stream_.stats().latency.values().current, 30ms);
}

TEST_F(ReceivedStreamTest, JitterOfTheWayShowsInTheLatencyOnly)
{
    take(1000ms, 30ms);
    const auto frame = take(1035ms, 45ms);
    EXPECT_EQ(frame->time, 990ms);
    EXPECT_FALSE(frame->discontinuity);
    EXPECT_EQ(stream_.stats().latency.values().maximum, 45ms);
}

TEST_F(ReceivedStreamTest, HoleIsCountedInFramesAndAnnounced)
{
    take(1000ms, 30ms);
    const auto frame = take(1120ms, 30ms); // 1020 was due
    EXPECT_EQ(frame->time, 1090ms);
    EXPECT_TRUE(frame->discontinuity);
    ASSERT_TRUE(frame->gap);
    EXPECT_EQ(frame->gap->start, 990ms);
    EXPECT_EQ(frame->gap->duration, 100ms);
    EXPECT_EQ(stream_.stats().lost, 5u);
}

TEST_F(ReceivedStreamTest, ReconnectIsAHoleOfItsTrueLength)
{
    take(1000ms, 30ms);
    stream_.end_connection(false);
    stream_.begin_connection();
    EXPECT_TRUE(take(1040ms, 30ms)->discontinuity);
    EXPECT_EQ(stream_.stats().lost, 1u);
    EXPECT_EQ(stream_.stats().connects, 2u);
}

TEST_F(ReceivedStreamTest, GapIsAnnouncedOnlyWhileTheSenderIsAway)
{
    take(1000ms, 30ms); // so 40 ms are reported
    EXPECT_FALSE(stream_.announce_gap(2000ms)) << "what is late may still come";
    stream_.end_connection(false);
    const auto gap = stream_.announce_gap(2000ms);
    ASSERT_TRUE(gap);
    EXPECT_EQ(gap->start, 990ms);
    EXPECT_EQ(gap->start + gap->duration, 1960ms);
    stream_.begin_connection();
    const auto frame = take(2010ms, 30ms);
    EXPECT_EQ(frame->time, 1980ms);
    EXPECT_EQ(frame->gap->duration, 20ms);
    EXPECT_EQ(stream_.stats().lost, 49u);
}

TEST_F(ReceivedStreamTest, StopEndsASessionUntilTheNextFrame)
{
    take(1000ms, 30ms);
    take_control(wire::Stop{});
    EXPECT_TRUE(stream_.is_away());
    EXPECT_TRUE(stream_.announce_gap(2000ms));
    EXPECT_TRUE(take(2010ms, 30ms)->discontinuity);
    EXPECT_FALSE(stream_.is_away());
    EXPECT_EQ(stream_.stats().lost, 0u) << "nobody lost what was not sent";
}

TEST_F(ReceivedStreamTest, SenderIsAwayUntilItsFirstFrame)
{
    EXPECT_TRUE(stream_.is_away());
    EXPECT_TRUE(stream_.announce_gap(1000ms));
    take(1010ms, 30ms);
    EXPECT_FALSE(stream_.is_away());
}

TEST_F(ReceivedStreamTest, FramesThatAreOlderThanTheAnnouncedGapAreDroppedUntilTheyAreNot)
{
    stream_.announce_gap(1000ms); // up to 960 ms
    for (nanoseconds now = 1000ms; now <= 1060ms; now += 20ms)
        EXPECT_FALSE(take(now, 150ms));
    EXPECT_EQ(stream_.stats().dropped_late, 4u);
    EXPECT_EQ(take(1080ms, 150ms)->time, 960ms);
    EXPECT_EQ(take(1100ms, 150ms)->time, 980ms);
}

TEST_F(ReceivedStreamTest, CaptureTimesThatJumpToAndFroMoveNothing)
{
    take(20000ms, 30ms);
    for (nanoseconds now = 20020ms; now < 21000ms; now += 20ms) {
        EXPECT_FALSE(take(now, 9s));
        const auto frame = take(now, 30ms);
        EXPECT_EQ(frame->time, now - 30ms);
        EXPECT_FALSE(frame->gap);
    }
    EXPECT_EQ(stream_.stats().lost, 0u);
}

TEST_F(ReceivedStreamTest, RestartedTimeLineKnowsNothingOfTheOldOne)
{
    take(20000ms, 30ms);
    stream_.restart_timeline();
    EXPECT_EQ(take(100ms, 30ms)->time, 70ms);
}

TEST_F(ReceivedStreamTest, ConfigSaysWhatTheStreamIsUntilTheNextSender)
{
    const wire::StreamConfig config{.sample_rate = 24000, .channels = 1, .frame_size = 480};
    take_control(wire::Config{config});
    EXPECT_EQ(stream_.config(), config);
    take_control(wire::Unknown{});
    EXPECT_EQ(stream_.config(), config) << "this was none";
    stream_.begin_connection();
    EXPECT_EQ(stream_.config(), wire::StreamConfig());
}

TEST_F(ReceivedStreamTest, CaptureTimeOfTheFutureOrOfLongAgoDoesNotCount)
{
    EXPECT_EQ(take(20000ms, 10000ms)->time, 10000ms);
    EXPECT_EQ(stream_.stats().implausible_timestamps, 0u);
    EXPECT_EQ(take(30000ms, -1ms)->time, 29980ms);
    EXPECT_EQ(stream_.stats().implausible_timestamps, 1u);
    EXPECT_EQ(take(40000ms, 10001ms)->time, 39980ms);
    EXPECT_EQ(stream_.stats().implausible_timestamps, 2u);
    EXPECT_EQ(stream_.stats().latency.values().samples, 1u);
}

TEST_F(ReceivedStreamTest, NoCaptureTimeIsSoStrangeThatItDoesHarm)
{
    for (const auto captured : {WallTime::min(), WallTime::max(), WallTime{}}) {
        stream_ = ReceivedStream();
        EXPECT_EQ(take_captured_at(captured, 1000ms)->time, 980ms);
    }
}

TEST_F(ReceivedStreamTest, DialectWithoutTimestampsIsNotImplausible)
{
    const auto frame = take_captured_at(WallTime{}, 1000ms);
    EXPECT_EQ(frame->time, 980ms);
    EXPECT_FALSE(frame->captured);
    EXPECT_EQ(stream_.stats().implausible_timestamps, 0u);
}

TEST_F(ReceivedStreamTest, BurstWithoutCaptureTimesIsSpreadOutAndNeverStepsBack)
{
    take_captured_at(WallTime{}, 1000ms);
    for (int i = 1; i < 8; ++i)
        EXPECT_EQ(take_captured_at(WallTime{}, 1140ms)->time, 980ms + i * 20ms);
    EXPECT_EQ(stream_.stats().lost, 0u);
}

TEST_F(ReceivedStreamTest, ModeArrivalDoesNotLookAtTheCaptureTime)
{
    stream_ = ReceivedStream(TimestampMode::arrival);
    EXPECT_EQ(take(1000ms, 500ms)->time, 980ms);
    EXPECT_EQ(take(1025ms, 900ms)->time, 1000ms);
    EXPECT_EQ(stream_.latency(), 40ms) << "not that of the capture times";
    EXPECT_EQ(stream_.stats().latency.values().maximum, 900ms) << "this is still told";
}

TEST_F(ReceivedStreamTest, FrameFromBeforeThePipelineIsDroppedAndCounted)
{
    EXPECT_FALSE(take(10ms, 30ms));
    EXPECT_EQ(stream_.stats().dropped_early, 1u);
    EXPECT_EQ(take(30ms, 30ms)->time, 0ms);
}

TEST_F(ReceivedStreamTest, WhatIsNoOpusPacketIsCountedAndChangesNothing)
{
    take(1000ms, 30ms);
    const std::array<std::byte, 1> bad{std::byte{0xFF}}; // code 3 without its count
    EXPECT_TRUE(std::holds_alternative<ReceivedStream::Dropped>(
        stream_.take(wire::OpusFrame{bad, epoch_of_running_time}, at(1010ms))));
    EXPECT_EQ(stream_.stats().dropped_invalid, 1u);
    EXPECT_EQ(stream_.stats().frames, 2u);
    EXPECT_FALSE(take(1020ms, 30ms)->discontinuity);
}

} // namespace
} // namespace jkvm
