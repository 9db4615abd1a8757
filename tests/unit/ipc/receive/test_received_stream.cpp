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

    const std::array<std::byte, 3> packet_{std::byte{0xFC}, std::byte{1}, std::byte{2}};
    ReceivedStream stream_;
};

TEST_F(ReceivedStreamTest, PlacesFrameAtItsCaptureTimeOnThePipelinesClock)
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

TEST_F(ReceivedStreamTest, HidesTransitJitterFromTimestamps)
{
    take(1000ms, 30ms);
    const auto frame = take(1035ms, 45ms);
    EXPECT_EQ(frame->time, 990ms);
    EXPECT_FALSE(frame->discontinuity);
    EXPECT_EQ(stream_.stats().latency.values().maximum, 45ms);
}

TEST_F(ReceivedStreamTest, CountsFramesMissingBeforeOneThatWaited)
{
    take(1000ms, 30ms);
    const auto frame = take(1160ms, 70ms); // 990 ms was due; the sender's queue was full
    EXPECT_EQ(frame->time, 1090ms);
    EXPECT_EQ(frame->lost, 5u);
    EXPECT_TRUE(frame->discontinuity);
    ASSERT_TRUE(frame->gap);
    EXPECT_EQ(frame->gap->start, 990ms);
    EXPECT_EQ(frame->gap->duration, 100ms);
    EXPECT_EQ(stream_.stats().lost, 5u);
}

TEST_F(ReceivedStreamTest, CountsFramesMissingAcrossAReconnect)
{
    take(1000ms, 30ms);
    stream_.end_connection(false);
    stream_.begin_connection();
    EXPECT_TRUE(take(1040ms, 30ms)->discontinuity);
    EXPECT_EQ(stream_.stats().lost, 1u);
    EXPECT_EQ(stream_.stats().connects, 2u);
}

TEST_F(ReceivedStreamTest, AnnouncesGapsOnlyWhileItIsIdle)
{
    take(1000ms, 30ms); // so 40 ms are reported
    EXPECT_FALSE(stream_.announce_gap(2000ms)) << "late frames may still arrive";
    stream_.end_connection(false);
    const auto gap = stream_.announce_gap(2000ms);
    ASSERT_TRUE(gap);
    EXPECT_EQ(gap->start, 990ms);
    EXPECT_EQ(gap->start + gap->duration, 1960ms);
    stream_.begin_connection();
    const auto frame = take(2010ms, 30ms);
    EXPECT_EQ(frame->time, 1980ms);
    EXPECT_EQ(frame->gap->duration, 20ms);
    EXPECT_EQ(stream_.stats().lost, 50u);
}

TEST_F(ReceivedStreamTest, CountsNoLossAfterAStop)
{
    take(1000ms, 30ms);
    take_control(wire::Stop{});
    EXPECT_TRUE(stream_.is_idle());
    EXPECT_TRUE(stream_.announce_gap(2000ms));
    EXPECT_TRUE(take(2010ms, 30ms)->discontinuity);
    EXPECT_FALSE(stream_.is_idle());
    EXPECT_EQ(stream_.stats().lost, 0u);
}

TEST_F(ReceivedStreamTest, IsIdleUntilTheFirstFrame)
{
    EXPECT_TRUE(stream_.is_idle());
    EXPECT_TRUE(stream_.announce_gap(1000ms));
    take(1010ms, 30ms);
    EXPECT_FALSE(stream_.is_idle());
}

TEST_F(ReceivedStreamTest, DropsFramesFromWithinAnAnnouncedGap)
{
    stream_.announce_gap(1000ms); // up to 960 ms
    for (nanoseconds now = 1000ms; now <= 1060ms; now += 20ms)
        EXPECT_FALSE(take(now, 150ms));
    EXPECT_EQ(stream_.stats().dropped_late, 4u);
    EXPECT_EQ(take(1080ms, 150ms)->time, 960ms);
    EXPECT_EQ(take(1100ms, 150ms)->time, 980ms);
}

TEST_F(ReceivedStreamTest, DropsOldFramesAmongRecentOnes)
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

TEST_F(ReceivedStreamTest, ForgetsTheOldTimelineOnRestart)
{
    take(20000ms, 30ms);
    stream_.restart_timeline();
    EXPECT_EQ(take(100ms, 30ms)->time, 70ms);
}

TEST_F(ReceivedStreamTest, KeepsAnnouncedFormatUntilTheNextSender)
{
    const wire::StreamConfig config{.sample_rate = 24000, .channels = 1, .frame_size = 480};
    take_control(wire::Config{config});
    EXPECT_EQ(stream_.config(), config);
    take_control(wire::Unknown{});
    EXPECT_EQ(stream_.config(), config) << "an unknown message changes nothing";
    stream_.begin_connection();
    EXPECT_EQ(stream_.config(), wire::StreamConfig());
}

TEST_F(ReceivedStreamTest, ReturnsToItsDefaultFormatWithANewSender)
{
    stream_ = ReceivedStream(TimestampMode::capture, {.channels = 1});
    EXPECT_EQ(stream_.config().channels, 1u);
    take_control(wire::Config{{.channels = 2}});
    EXPECT_EQ(stream_.config().channels, 2u);
    stream_.begin_connection();
    EXPECT_EQ(stream_.config().channels, 1u);
}

TEST_F(ReceivedStreamTest, ReplacesImplausibleCaptureTimesWithTheArrival)
{
    struct Case {
        nanoseconds age;
        bool is_plausible;
    };
    for (const auto &[age, is_plausible] :
         {Case{10s, true}, {10001ms, false}, {-1s, true}, {-1001ms, false}}) {
        stream_ = ReceivedStream();
        EXPECT_EQ(take(20s, age)->time, is_plausible ? 20s - age : 19980ms);
        EXPECT_EQ(stream_.stats().implausible_timestamps, is_plausible ? 0u : 1u);
        EXPECT_EQ(stream_.stats().latency.values().samples, is_plausible ? 1u : 0u);
    }
}

TEST_F(ReceivedStreamTest, LosesNothingIfEverySecondTimestampIsAhead)
{
    // Timestamps are 45 ms ahead of the arrival, as after rtpjitterbuffer.
    for (const auto transit : {5ms, 30ms, 80ms}) {
        stream_ = ReceivedStream();
        nanoseconds end{0};
        for (int i = 0; i < 3000; ++i) {
            const auto now = 10s + i * 20ms;
            const auto frame = take(now, i % 2 == 1 ? -45ms : transit);
            ASSERT_TRUE(frame) << i;
            EXPECT_EQ(frame->discontinuity, i == 0) << i;
            EXPECT_TRUE(i == 0 || frame->time == end) << i;
            end = frame->time + frame->duration;
        }
        EXPECT_EQ(stream_.stats().lost, 0u);
        EXPECT_EQ(stream_.stats().dropped_late, 0u);
        EXPECT_EQ(stream_.stats().implausible_timestamps, 0u);
    }
}

TEST_F(ReceivedStreamTest, LosesNothingIfTheFirstTimestampIsAhead)
{
    for (const auto transit : {5ms, 30ms, 80ms}) {
        stream_ = ReceivedStream();
        for (int i = 0; i < 3000; ++i)
            EXPECT_TRUE(take(10s + i * 20ms, i % 2 == 0 ? -45ms : transit)) << i;
        EXPECT_EQ(stream_.stats().lost, 0u);
    }
}

TEST_F(ReceivedStreamTest, CountsLossesInAStreamThatIsAhead)
{
    nanoseconds now = 10s;
    for (int i = 0; i < 100; ++i, now += 20ms)
        take(now, -300ms);
    take(now + 20ms, -300ms);
    EXPECT_EQ(stream_.stats().lost, 1u);
}

TEST_F(ReceivedStreamTest, CountsNoLossInAPauseAfterADtxPacket)
{
    const std::array<std::byte, 1> dtx{std::byte{0xFC}};
    nanoseconds now = 10s;
    for (int i = 0; i < 50; ++i, now += 20ms)
        take(now, 30ms);
    const auto at_now = at(now);
    stream_.take(wire::OpusFrame{dtx, at_now.wall - 30ms}, at_now);
    const auto frame = take(now + 420ms, 200ms); // with an unusual transit
    EXPECT_TRUE(frame->discontinuity);
    EXPECT_TRUE(frame->gap);
    EXPECT_EQ(stream_.stats().lost, 0u);
}

TEST_F(ReceivedStreamTest, CountsNoLossInAPauseWhoseNextFrameHasTheUsualTransit)
{
    nanoseconds now = 10s;
    for (int i = 0; i < 50; ++i, now += 20ms)
        take(now, 30ms);
    const auto frame = take(now + 700ms, 35ms);
    EXPECT_TRUE(frame->discontinuity);
    EXPECT_TRUE(frame->gap);
    EXPECT_EQ(stream_.stats().lost, 0u);
}

TEST_F(ReceivedStreamTest, CountsOneMissingFrameAmongEvenTimestamps)
{
    nanoseconds now = 10s;
    for (int i = 0; i < 50; ++i, now += 20ms)
        take(now, 30ms);
    const auto frame = take(now + 20ms, 30ms);
    EXPECT_TRUE(frame->discontinuity);
    ASSERT_TRUE(frame->gap);
    EXPECT_EQ(frame->gap->duration, 20ms);
    EXPECT_EQ(stream_.stats().lost, 1u);
}

TEST_F(ReceivedStreamTest, AcceptsExtremeCaptureTimes)
{
    for (const auto captured : {WallTime::min(), WallTime::max(), WallTime{}}) {
        stream_ = ReceivedStream();
        EXPECT_EQ(take_captured_at(captured, 1000ms)->time, 980ms);
    }
}

TEST_F(ReceivedStreamTest, TakesMissingTimestampForPlausible)
{
    const auto frame = take_captured_at(WallTime{}, 1000ms);
    EXPECT_EQ(frame->time, 980ms);
    EXPECT_FALSE(frame->captured);
    EXPECT_EQ(stream_.stats().implausible_timestamps, 0u);
}

TEST_F(ReceivedStreamTest, SpreadsOutABurstWithoutCaptureTimes)
{
    take_captured_at(WallTime{}, 1000ms);
    for (int i = 1; i < 8; ++i)
        EXPECT_NEAR(milliseconds_of(take_captured_at(WallTime{}, 1140ms)->time), 980 + i * 20, 1);
    EXPECT_EQ(stream_.stats().lost, 0u);
}

TEST_F(ReceivedStreamTest, UsesArrivalsInModeArrival)
{
    stream_ = ReceivedStream(TimestampMode::arrival);
    EXPECT_EQ(take(1000ms, 500ms)->time, 980ms);
    EXPECT_EQ(take(1025ms, 900ms)->time, 1000ms);
    EXPECT_EQ(stream_.latency(), 40ms) << "calculated from arrivals";
    EXPECT_EQ(stream_.stats().latency.values().maximum, 900ms) << "measured nevertheless";
}

TEST_F(ReceivedStreamTest, DropsFrameFromBeforeRunningTimeZero)
{
    EXPECT_FALSE(take(10ms, 30ms));
    EXPECT_EQ(stream_.stats().dropped_early, 1u);
    EXPECT_EQ(take(30ms, 30ms)->time, 0ms);
}

TEST_F(ReceivedStreamTest, DropsInvalidPacket)
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
