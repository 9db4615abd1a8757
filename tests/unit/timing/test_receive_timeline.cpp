// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/timing/receive_timeline.h"

#include <gtest/gtest.h>

#include <random>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

constexpr nanoseconds frame = 20ms;

class ReceiveTimelineTest : public testing::Test {
protected:
    ReceiveTimeline::Stamp place(nanoseconds captured) { return *timeline_.place(captured, frame); }
    ReceiveTimeline::Stamp place_arrival(nanoseconds arrived)
    {
        return *timeline_.place_arrival(arrived, frame);
    }

    ReceiveTimeline timeline_{40ms};
};

TEST_F(ReceiveTimelineTest, FirstFrameTakesItsCaptureTime)
{
    const auto stamp = place(123ms);
    EXPECT_EQ(stamp.time, 123ms);
    EXPECT_TRUE(stamp.discontinuity);
    EXPECT_EQ(stamp.hole, 0ns);
}

TEST_F(ReceiveTimelineTest, JitterWithinTheToleranceDoesNotShow)
{
    place(100ms);
    nanoseconds expected = 100ms;
    for (const auto jitter : {0ms, 40ms, -40ms, 13ms, -1ms}) {
        expected += frame;
        const auto stamp = place(expected + jitter);
        EXPECT_EQ(stamp.time, expected);
        EXPECT_FALSE(stamp.discontinuity);
    }
}

TEST_F(ReceiveTimelineTest, DifferenceBeyondTheToleranceIsAHole)
{
    place(100ms);
    const auto stamp = place(161ms);
    EXPECT_EQ(stamp.time, 161ms);
    EXPECT_TRUE(stamp.discontinuity);
    EXPECT_EQ(stamp.hole, 41ms);
    EXPECT_EQ(place(181ms).discontinuity, false);
}

TEST_F(ReceiveTimelineTest, FrameThatComesTooLateHasNoPlace)
{
    place(1000ms);
    EXPECT_FALSE(timeline_.place(900ms, frame));
    const auto stamp = place(1025ms);
    EXPECT_EQ(stamp.time, 1020ms) << "it has changed nothing";
    EXPECT_FALSE(stamp.discontinuity);
}

TEST_F(ReceiveTimelineTest, WhateverTheCaptureTimesTheLineGoesForwardAndIsCoveredOnce)
{
    std::mt19937 random(1);
    std::uniform_int_distribution<int> time(0, 2000);
    nanoseconds end{0};
    const auto cover = [&end](nanoseconds start, nanoseconds duration) {
        ASSERT_EQ(start, end);
        ASSERT_GT(duration, 0ns);
        end = start + duration;
    };
    timeline_.announce_gap(1ns);
    end = 1ns;
    for (int i = 0; i < 10000; ++i) {
        const auto at = end + (time(random) - 1000) * 1ms;
        if (i % 7 == 0) {
            if (const auto gap = timeline_.announce_gap(at))
                cover(gap->start, gap->duration);
        } else if (const auto stamp = i % 3 == 0 ? timeline_.place_arrival(at, frame)
                                                 : timeline_.place(at, frame)) {
            if (stamp->gap)
                cover(stamp->gap->start, stamp->gap->duration);
            cover(stamp->time, frame);
        }
    }
}

TEST_F(ReceiveTimelineTest, HoleThatIsKnownCountsHoweverSmall)
{
    place(100ms);
    timeline_.expect_hole();
    const auto stamp = place(125ms);
    EXPECT_EQ(stamp.time, 125ms);
    EXPECT_TRUE(stamp.discontinuity);
    EXPECT_EQ(stamp.hole, 5ms);
    EXPECT_FALSE(place(146ms).discontinuity) << "only the first one after it";
}

TEST_F(ReceiveTimelineTest, TimeDoesNotRunBackwardsAcrossAKnownHole)
{
    place(100ms);
    timeline_.expect_hole();
    const auto stamp = place(110ms);
    EXPECT_EQ(stamp.time, 120ms);
    EXPECT_TRUE(stamp.discontinuity);
    EXPECT_EQ(stamp.hole, 0ns);
}

TEST_F(ReceiveTimelineTest, BurstBehindAStallFillsTheTimeOfTheStall)
{
    place_arrival(1000ms);
    nanoseconds expected = 1020ms;
    for (int i = 0; i < 50; ++i, expected += frame) { // at once, a second late
        const auto stamp = place_arrival(2000ms);
        EXPECT_EQ(stamp.time, expected);
        EXPECT_FALSE(stamp.discontinuity);
    }
    EXPECT_EQ(place_arrival(2020ms).time, 2020ms);
}

TEST_F(ReceiveTimelineTest, PauseBetweenArrivalsIsAHoleOnceASecondFrameShowsIt)
{
    place_arrival(1000ms);
    EXPECT_EQ(place_arrival(1500ms).time, 1020ms) << "this could be the end of a stall";
    const auto stamp = place_arrival(1520ms);
    EXPECT_EQ(stamp.time, 1520ms);
    EXPECT_TRUE(stamp.discontinuity);
    EXPECT_EQ(place_arrival(1540ms).time, 1540ms);
    EXPECT_EQ(place_arrival(3000ms).time, 3000ms) << "no stall is as long as that";
}

TEST_F(ReceiveTimelineTest, ArrivalBehindAKnownHoleCounts)
{
    place_arrival(1000ms);
    timeline_.expect_hole();
    EXPECT_EQ(place_arrival(1500ms).time, 1500ms);
}

TEST_F(ReceiveTimelineTest, ADayOfFramesIsExact)
{
    constexpr int frames = 24 * 3600 * 50;
    nanoseconds last{};
    for (int i = 0; i < frames; ++i)
        last = place(i * frame + (i % 3) * 5ms).time;
    EXPECT_EQ(last, (frames - 1) * frame);
}

TEST_F(ReceiveTimelineTest, HoleOfAStreamIsAGap)
{
    EXPECT_FALSE(place(100ms).gap);
    EXPECT_FALSE(place(130ms).gap) << "jitter is none";
    const auto stamp = place(300ms);
    ASSERT_TRUE(stamp.gap);
    EXPECT_EQ(stamp.gap->start, 140ms);
    EXPECT_EQ(stamp.gap->duration, 160ms);
}

TEST_F(ReceiveTimelineTest, AnnouncedGapsAndTheRestOfTheHoleFollowEachOther)
{
    place(100ms);
    const auto first = timeline_.announce_gap(220ms);
    ASSERT_TRUE(first);
    EXPECT_EQ(first->start, 120ms);
    EXPECT_EQ(first->duration, 100ms);
    EXPECT_FALSE(timeline_.announce_gap(220ms));
    EXPECT_FALSE(timeline_.announce_gap(150ms));
    EXPECT_EQ(timeline_.announce_gap(320ms)->start, 220ms);

    const auto stamp = place(350ms);
    EXPECT_EQ(stamp.time, 350ms);
    EXPECT_TRUE(stamp.discontinuity);
    EXPECT_EQ(stamp.hole, 230ms) << "from the last frame on";
    ASSERT_TRUE(stamp.gap);
    EXPECT_EQ(stamp.gap->start, 320ms);
    EXPECT_EQ(stamp.gap->duration, 30ms);
}

TEST_F(ReceiveTimelineTest, FrameStandsBehindWhatWasAnnouncedAsEmpty)
{
    place(100ms);
    timeline_.announce_gap(300ms);
    const auto stamp = place(290ms);
    EXPECT_EQ(stamp.time, 300ms);
    EXPECT_TRUE(stamp.discontinuity);
    EXPECT_FALSE(stamp.gap);
}

TEST_F(ReceiveTimelineTest, GapBeforeTheFirstFrameBeginsAtZero)
{
    const auto gap = timeline_.announce_gap(50ms);
    ASSERT_TRUE(gap);
    EXPECT_EQ(gap->start, 0ms);
    EXPECT_EQ(gap->duration, 50ms);
    const auto stamp = place(60ms);
    EXPECT_EQ(stamp.time, 60ms);
    EXPECT_EQ(stamp.hole, 0ns);
    EXPECT_EQ(stamp.gap->duration, 10ms);
}

TEST_F(ReceiveTimelineTest, ResetBeginsAnew)
{
    place(5000ms);
    timeline_.expect_hole();
    timeline_.reset();
    const auto stamp = place(10ms);
    EXPECT_EQ(stamp.time, 10ms);
    EXPECT_EQ(stamp.hole, 0ns);
    EXPECT_FALSE(stamp.gap);
}

} // namespace
} // namespace jkvm
