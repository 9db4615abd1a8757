// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/audio/frame_timeline.h"

#include <gtest/gtest.h>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

constexpr nanoseconds frame = 20ms;

class FrameTimelineTest : public testing::Test {
protected:
    FrameTimeline timeline_{40ms};
};

TEST_F(FrameTimelineTest, FirstFrameTakesItsCaptureTime)
{
    const auto stamp = timeline_.place(123ms, frame);
    EXPECT_EQ(stamp.time, 123ms);
    EXPECT_TRUE(stamp.discontinuity);
    EXPECT_EQ(stamp.hole, 0ns);
}

TEST_F(FrameTimelineTest, JitterWithinTheToleranceDoesNotShow)
{
    timeline_.place(100ms, frame);
    nanoseconds expected = 100ms;
    for (const auto jitter : {0ms, 40ms, -40ms, 13ms, -1ms}) {
        expected += frame;
        const auto stamp = timeline_.place(expected + jitter, frame);
        EXPECT_EQ(stamp.time, expected);
        EXPECT_FALSE(stamp.discontinuity);
    }
}

TEST_F(FrameTimelineTest, DifferenceBeyondTheToleranceIsAHole)
{
    timeline_.place(100ms, frame);
    const auto stamp = timeline_.place(161ms, frame);
    EXPECT_EQ(stamp.time, 161ms);
    EXPECT_TRUE(stamp.discontinuity);
    EXPECT_EQ(stamp.hole, 41ms);
    EXPECT_EQ(timeline_.place(181ms, frame).discontinuity, false);
}

TEST_F(FrameTimelineTest, ClockThatStepsBackIsFollowedAndIsNoHole)
{
    timeline_.place(1000ms, frame);
    const auto stamp = timeline_.place(900ms, frame);
    EXPECT_EQ(stamp.time, 900ms);
    EXPECT_TRUE(stamp.discontinuity);
    EXPECT_EQ(stamp.hole, 0ns);
}

TEST_F(FrameTimelineTest, HoleThatIsKnownCountsHoweverSmall)
{
    timeline_.place(100ms, frame);
    timeline_.expect_hole();
    const auto stamp = timeline_.place(125ms, frame);
    EXPECT_EQ(stamp.time, 125ms);
    EXPECT_TRUE(stamp.discontinuity);
    EXPECT_EQ(stamp.hole, 5ms);
    EXPECT_FALSE(timeline_.place(146ms, frame).discontinuity) << "only the first one after it";
}

TEST_F(FrameTimelineTest, TimeDoesNotRunBackwardsAcrossAKnownHole)
{
    timeline_.place(100ms, frame);
    timeline_.expect_hole();
    const auto stamp = timeline_.place(110ms, frame);
    EXPECT_EQ(stamp.time, 120ms);
    EXPECT_TRUE(stamp.discontinuity);
    EXPECT_EQ(stamp.hole, 0ns);
}

TEST_F(FrameTimelineTest, ArrivalsOfABurstAreSpreadOutAndTheClockCountsAfterIt)
{
    timeline_.place_arrival(1000ms, frame);
    // A second of silence, then what had piled up, at once.
    EXPECT_EQ(timeline_.place_arrival(2020ms, frame).hole, 1000ms);
    nanoseconds expected = 2040ms;
    for (int i = 1; i < 50; ++i, expected += frame) {
        const auto stamp = timeline_.place_arrival(2020ms, frame);
        EXPECT_EQ(stamp.time, expected);
        EXPECT_FALSE(stamp.discontinuity);
    }
    // Then it goes on in real time, and is not a second late for ever.
    const auto stamp = timeline_.place_arrival(2040ms, frame);
    EXPECT_EQ(stamp.time, 2040ms);
    EXPECT_TRUE(stamp.discontinuity);
    EXPECT_EQ(stamp.hole, 0ns);
    EXPECT_FALSE(timeline_.place_arrival(2060ms, frame).discontinuity);
}

TEST_F(FrameTimelineTest, ADayOfFramesIsExact)
{
    constexpr int frames = 24 * 3600 * 50;
    nanoseconds last{};
    for (int i = 0; i < frames; ++i)
        last = timeline_.place(i * frame + (i % 3) * 5ms, frame).time;
    EXPECT_EQ(last, (frames - 1) * frame);
}

TEST_F(FrameTimelineTest, HoleOfAStreamIsAGap)
{
    EXPECT_FALSE(timeline_.place(100ms, frame).gap);
    EXPECT_FALSE(timeline_.place(130ms, frame).gap) << "jitter is none";
    const auto stamp = timeline_.place(300ms, frame);
    ASSERT_TRUE(stamp.gap);
    EXPECT_EQ(stamp.gap->start, 140ms);
    EXPECT_EQ(stamp.gap->duration, 160ms);
}

TEST_F(FrameTimelineTest, AnnouncedGapsAndTheRestOfTheHoleFollowEachOther)
{
    timeline_.place(100ms, frame);
    const auto first = timeline_.announce_gap(220ms);
    ASSERT_TRUE(first);
    EXPECT_EQ(first->start, 120ms);
    EXPECT_EQ(first->duration, 100ms);
    EXPECT_FALSE(timeline_.announce_gap(220ms));
    EXPECT_FALSE(timeline_.announce_gap(150ms));
    EXPECT_EQ(timeline_.announce_gap(320ms)->start, 220ms);

    const auto stamp = timeline_.place(350ms, frame);
    EXPECT_EQ(stamp.time, 350ms);
    EXPECT_TRUE(stamp.discontinuity);
    EXPECT_EQ(stamp.hole, 230ms) << "from the last frame on";
    ASSERT_TRUE(stamp.gap);
    EXPECT_EQ(stamp.gap->start, 320ms);
    EXPECT_EQ(stamp.gap->duration, 30ms);
}

TEST_F(FrameTimelineTest, FrameStandsBehindWhatWasAnnouncedAsEmpty)
{
    timeline_.place(100ms, frame);
    timeline_.announce_gap(300ms);
    const auto stamp = timeline_.place(290ms, frame);
    EXPECT_EQ(stamp.time, 300ms);
    EXPECT_TRUE(stamp.discontinuity);
    EXPECT_FALSE(stamp.gap);
}

TEST_F(FrameTimelineTest, GapBeforeTheFirstFrameBeginsAtZero)
{
    const auto gap = timeline_.announce_gap(50ms);
    ASSERT_TRUE(gap);
    EXPECT_EQ(gap->start, 0ms);
    EXPECT_EQ(gap->duration, 50ms);
    const auto stamp = timeline_.place(60ms, frame);
    EXPECT_EQ(stamp.time, 60ms);
    EXPECT_EQ(stamp.hole, 0ns);
    EXPECT_EQ(stamp.gap->duration, 10ms);
}

TEST_F(FrameTimelineTest, ResetBeginsAnew)
{
    timeline_.place(5000ms, frame);
    timeline_.expect_hole();
    timeline_.reset();
    const auto stamp = timeline_.place(10ms, frame);
    EXPECT_EQ(stamp.time, 10ms);
    EXPECT_EQ(stamp.hole, 0ns);
    EXPECT_FALSE(stamp.gap);
}

} // namespace
} // namespace jkvm
