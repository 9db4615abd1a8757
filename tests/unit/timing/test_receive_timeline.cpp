// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/timing/receive_timeline.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

constexpr nanoseconds frame = 20ms;
constexpr nanoseconds usual_transit = 30ms;

class ReceiveTimelineTest : public testing::Test {
protected:
    ReceiveTimeline::Stamp place(nanoseconds captured, nanoseconds transit = usual_transit)
    {
        return *timeline_.place(captured, frame, captured + transit);
    }
    ReceiveTimeline::Stamp place_arrival(nanoseconds arrived)
    {
        return *timeline_.place_arrival(arrived, frame);
    }
    /// Places frames with even capture times from 0 on; returns the time of the next one.
    nanoseconds place_even(int count)
    {
        for (int i = 0; i < count; ++i)
            place(i * frame);
        return count * frame;
    }

    ReceiveTimeline timeline_{40ms};
};

TEST_F(ReceiveTimelineTest, FollowsADeliberateStretchOfTheCaptureTimes)
{
    timeline_ = ReceiveTimeline(40ms, FrameSpacing::stretched);
    std::mt19937 random(1);
    const auto clock_error = [&random] { return nanoseconds(random() % 2000) - 1us; };
    nanoseconds captured{0};
    nanoseconds worst{0};
    nanoseconds end{0}; // of the last frame
    for (int i = 0; i < 3000; ++i) {
        // A second without a change, one with a longer and one with a shorter delay.
        constexpr std::array<nanoseconds, 3> stretch{0us, 100us, -100us}; // 5000 ppm
        const auto stamp = place(captured + clock_error());
        EXPECT_FALSE(i > 0 && stamp.discontinuity) << i;
        EXPECT_TRUE(i == 0 || stamp.time == end) << i;
        end = stamp.time + stamp.duration;
        worst = std::max(worst, std::chrono::abs(stamp.time - captured));
        captured += frame + stretch.at(static_cast<std::size_t>(i / 50 % 3));
    }
    EXPECT_LT(worst, 700us) << worst.count();
}

TEST_F(ReceiveTimelineTest, FollowsAStretchAfterClockReadingsWereLate)
{
    timeline_ = ReceiveTimeline(40ms, FrameSpacing::stretched);
    nanoseconds captured{0};
    nanoseconds error{0}; // of the last frame
    for (int i = 0; i < 560; ++i) {
        const bool is_late = i % 150 > 110;
        error = captured - place(captured + (is_late ? i % 7 * 100us : 0us)).time;
        captured += frame + 100us; // 5000 ppm
    }
    EXPECT_LT(std::chrono::abs(error), 1ms) << error.count();
}

TEST_F(ReceiveTimelineTest, SmoothsJitterAlsoIfItFollowsAStretch)
{
    timeline_ = ReceiveTimeline(40ms, FrameSpacing::stretched);
    std::mt19937 random(1);
    for (int i = 0; i < 500; ++i) {
        const auto stamp = place(i * frame + nanoseconds(random() % 1000) * 1000);
        EXPECT_LE(std::chrono::abs(stamp.duration - frame), frame / 500) << i;
    }
}

TEST_F(ReceiveTimelineTest, PlacesFirstFrameAtItsCaptureTime)
{
    const auto stamp = place(123ms);
    EXPECT_EQ(stamp.time, 123ms);
    EXPECT_TRUE(stamp.discontinuity);
    EXPECT_EQ(stamp.missing, 0ns);
}

TEST_F(ReceiveTimelineTest, PlacesEachFrameAtTheEndOfThePreviousOneDespiteJitter)
{
    const auto first = place(100ms);
    auto end = first.time + first.duration;
    nanoseconds expected = 100ms;
    for (const auto jitter : {0ms, 40ms, -40ms, 13ms, -1ms}) {
        expected += frame;
        const auto stamp = place(expected + jitter);
        EXPECT_EQ(stamp.time, end);
        EXPECT_FALSE(stamp.discontinuity);
        EXPECT_LE(std::chrono::abs(stamp.duration - frame), frame / 500);
        end = stamp.time + stamp.duration;
    }
}

TEST_F(ReceiveTimelineTest, DetectsAGapBeyondTheTolerance)
{
    place(100ms);
    const auto stamp = place(161ms);
    EXPECT_EQ(stamp.time, 161ms);
    EXPECT_TRUE(stamp.discontinuity);
    EXPECT_EQ(stamp.missing, 41ms);
    EXPECT_EQ(place(181ms).discontinuity, false);
}

TEST_F(ReceiveTimelineTest, DetectsOneMissingFrameOfAnyDurationInEvenCaptureTimes)
{
    for (const auto duration : {2500us, 5000us, 10000us, 20000us, 40000us, 60000us, 120000us}) {
        timeline_.reset();
        nanoseconds time = 1s;
        for (int i = 0; i < 10; ++i, time += duration)
            timeline_.place(time, duration, time + usual_transit);
        time += duration; // lost
        const auto stamp = timeline_.place(time, duration, time + usual_transit);
        EXPECT_TRUE(stamp->discontinuity) << duration.count();
        EXPECT_EQ(stamp->missing, duration);
        EXPECT_EQ(stamp->time, time);
        EXPECT_FALSE(stamp->is_pause);
        ASSERT_TRUE(stamp->gap);
        EXPECT_EQ(stamp->gap->duration, duration);
    }
}

TEST_F(ReceiveTimelineTest, DetectsOneMissingFrameWhileTheSenderSlews)
{
    // Like jkvmaudiosrc at 50 ppm: no slewing until it is 1 ms off, then 0.2 % for half a second.
    constexpr nanoseconds duration = 2500us;
    nanoseconds captured = 1s;
    nanoseconds clock = captured;
    bool is_slewing = false;
    int gaps = 0;
    for (int i = 0; i < 400 * 60; ++i) {
        const bool is_lost = i % 4000 == 3999;
        if (!is_lost)
            gaps += timeline_.place(captured, duration, captured + usual_transit)->discontinuity;
        is_slewing = clock - captured > (is_slewing ? 50us : 1ms);
        captured += duration + (is_slewing ? 5us : 0us);
        clock += duration + 125ns;
    }
    EXPECT_EQ(gaps, 6) << "the first frame, and five lost ones";
}

TEST_F(ReceiveTimelineTest, TakesOneLateCaptureTimeAmongJitterForJitter)
{
    std::mt19937 random(1);
    std::uniform_int_distribution<int> jitter(0, 10000);
    for (int i = 0; i < 500; ++i)
        EXPECT_EQ(place(i * frame + jitter(random) * 1us).discontinuity, i == 0) << i;
    EXPECT_FALSE(place(500 * frame + 20ms).discontinuity);
}

TEST_F(ReceiveTimelineTest, TakesAGapWithTheUsualTransitForAPause)
{
    const auto next = place_even(50);
    const auto stamp = place(next + 500ms);
    EXPECT_TRUE(stamp.discontinuity);
    EXPECT_EQ(stamp.missing, 500ms);
    EXPECT_TRUE(stamp.is_pause);
}

TEST_F(ReceiveTimelineTest, TakesAGapBeforeADelayedFrameForALoss)
{
    const auto next = place_even(50);
    EXPECT_FALSE(place(next + 500ms, usual_transit + 2 * frame).is_pause);
}

TEST_F(ReceiveTimelineTest, IgnoresEverySecondCaptureTimeThatIsAhead)
{
    for (int i = 0; i < 500; ++i) {
        const auto now = 1s + i * frame;
        const auto captured = now - usual_transit + (i % 2 == 1 ? 75ms : 0ms);
        const auto stamp = timeline_.place(captured, frame, now);
        ASSERT_TRUE(stamp) << i;
        EXPECT_EQ(stamp->discontinuity, i == 0) << i;
    }
}

TEST_F(ReceiveTimelineTest, FollowsCaptureTimesThatStepAhead)
{
    auto next = place_even(50);
    int gaps = 0;
    for (int i = 0; i < 50; ++i, next += frame) { // 500 ms ahead from now on
        const auto stamp = timeline_.place(next + 500ms, frame, next + usual_transit);
        ASSERT_TRUE(stamp);
        gaps += stamp->discontinuity ? 1 : 0;
        EXPECT_EQ(stamp->missing, 0ns) << "nothing is missing";
    }
    EXPECT_EQ(gaps, 1);
    EXPECT_NEAR(milliseconds_of(place(next + 500ms, -470ms).time - next), 500, 2);
}

TEST_F(ReceiveTimelineTest, KeepsFramesWhoseCaptureTimesStepBack)
{
    auto next = place_even(50);
    for (int i = 0; i < 100; ++i, next += frame) {
        const auto stamp = timeline_.place(next - 300ms, frame, next + usual_transit);
        ASSERT_TRUE(stamp) << i;
        EXPECT_FALSE(stamp->discontinuity);
    }
}

TEST_F(ReceiveTimelineTest, RejectsAFrameFarInThePast)
{
    place(5000ms);
    EXPECT_FALSE(timeline_.place(3900ms, frame, 5050ms));
    const auto stamp = place(5020ms);
    EXPECT_EQ(stamp.time, 5020ms) << "it changed nothing";
    EXPECT_FALSE(stamp.discontinuity);
}

TEST_F(ReceiveTimelineTest, MovesForwardAndIsCoveredOnceForAnyCaptureTimes)
{
    std::mt19937 random(1);
    std::uniform_int_distribution<int> time(0, 4000);
    nanoseconds end{0};
    const auto cover = [&end](nanoseconds start, nanoseconds duration) {
        ASSERT_EQ(start, end);
        ASSERT_GT(duration, 0ns);
        end = start + duration;
    };
    timeline_.announce_gap(1ns);
    end = 1ns;
    for (int i = 0; i < 10000; ++i) {
        const auto at = end + (time(random) - 2000) * 1ms;
        if (i % 7 == 0) {
            if (const auto gap = timeline_.announce_gap(at))
                cover(gap->start, gap->duration);
        } else if (const auto stamp = i % 3 == 0 ? timeline_.place_arrival(at, frame)
                                                 : timeline_.place(at, frame, end)) {
            if (stamp->gap)
                cover(stamp->gap->start, stamp->gap->duration);
            cover(stamp->time, stamp->duration);
        }
    }
}

TEST_F(ReceiveTimelineTest, PlacesFrameAfterAKnownGapAtItsCaptureTime)
{
    place(100ms);
    timeline_.expect_gap();
    const auto stamp = place(125ms);
    EXPECT_EQ(stamp.time, 125ms);
    EXPECT_TRUE(stamp.discontinuity);
    EXPECT_EQ(stamp.missing, 5ms);
    EXPECT_FALSE(place(146ms).discontinuity) << "only the first frame after it";
}

TEST_F(ReceiveTimelineTest, DoesNotStepBackAcrossAKnownGap)
{
    place(100ms);
    timeline_.expect_gap();
    const auto stamp = place(110ms);
    EXPECT_EQ(stamp.time, 120ms);
    EXPECT_TRUE(stamp.discontinuity);
    EXPECT_EQ(stamp.missing, 0ns);
}

TEST_F(ReceiveTimelineTest, FillsAStallWithTheBurstAfterIt)
{
    place_arrival(1000ms);
    nanoseconds expected = 1020ms;
    for (int i = 0; i < 48; ++i, expected += frame) { // all at once, a second late
        const auto stamp = place_arrival(2000ms);
        EXPECT_EQ(stamp.time, expected);
        EXPECT_FALSE(stamp.discontinuity);
    }
}

TEST_F(ReceiveTimelineTest, TakesLateArrivalForAPauseOnceTheSecondFrameShowsIt)
{
    place_arrival(1000ms);
    EXPECT_EQ(place_arrival(1500ms).time, 1020ms) << "this could be the end of a stall";
    const auto stamp = place_arrival(1520ms);
    EXPECT_EQ(stamp.time, 1520ms);
    EXPECT_TRUE(stamp.discontinuity);
    EXPECT_TRUE(stamp.is_pause);
    EXPECT_EQ(place_arrival(1540ms).time, 1540ms);
    EXPECT_EQ(place_arrival(3000ms).time, 3000ms) << "longer than a stall";
}

TEST_F(ReceiveTimelineTest, TakesAStallThatItsBurstDoesNotFillForALoss)
{
    place_arrival(1000ms);
    for (int i = 0; i < 5; ++i)
        EXPECT_FALSE(place_arrival(1500ms).discontinuity);
    const auto stamp = place_arrival(1520ms);
    EXPECT_TRUE(stamp.discontinuity);
    EXPECT_EQ(stamp.missing, 400ms);
    EXPECT_FALSE(stamp.is_pause);
}

TEST_F(ReceiveTimelineTest, PlacesArrivalAfterAKnownGapAtOnce)
{
    place_arrival(1000ms);
    timeline_.expect_gap();
    EXPECT_EQ(place_arrival(1500ms).time, 1500ms);
}

TEST_F(ReceiveTimelineTest, KeepsToJitteringCaptureTimesForAnHour)
{
    constexpr int frames = 3600 * 50;
    for (int i = 0; i < frames; ++i) {
        const auto stamp = place(i * frame + (i % 3) * 5ms);
        ASSERT_EQ(stamp.discontinuity, i == 0);
        ASSERT_LE(std::chrono::abs(stamp.time - i * frame - 5ms), 6ms);
    }
}

TEST_F(ReceiveTimelineTest, AdvancesByExactDurationsIfRequested)
{
    for (const auto drift : {-2us, 2us}) { // 100 ppm
        timeline_ = ReceiveTimeline(40ms, FrameSpacing::exact);
        auto end = place(0ns).time + frame;
        for (int i = 1; i < 600 * 50; ++i) {
            const auto stamp = place(i * (frame + drift));
            ASSERT_FALSE(stamp.discontinuity) << i;
            ASSERT_EQ(stamp.time, end);
            ASSERT_EQ(stamp.duration, frame);
            end += frame;
        }
        const auto stamp = place(600 * 50 * (frame + drift) + frame); // after a lost frame
        EXPECT_EQ(stamp.time, end + frame) << "also across a loss";
        EXPECT_NEAR(milliseconds_of(stamp.missing), 20, 0.1);
    }
}

TEST_F(ReceiveTimelineTest, BoundsTheDriftOfExactDurations)
{
    for (const auto drift : {-1ms, 1ms}) { // 5 %
        timeline_ = ReceiveTimeline(40ms, FrameSpacing::exact);
        int count = 0;
        for (int i = 0; i < 5000; ++i) {
            const auto captured = i * (frame + drift);
            const auto stamp = timeline_.place(captured, frame, captured + usual_transit);
            if (!stamp)
                continue;
            ++count;
            EXPECT_LT(std::chrono::abs(stamp->time - captured),
                      ReceiveTimeline::max_exact_drift + 2 * frame);
            EXPECT_EQ(stamp->missing, 0ns) << "drift is not a loss";
        }
        EXPECT_GT(count, 4700);
    }
}

TEST_F(ReceiveTimelineTest, KeepsAFrameAfterALossIfCaptureTimesSteppedBack)
{
    auto next = place_even(50);
    for (int i = 0; i < 50; ++i, next += frame)
        place(next - 300ms);
    const auto stamp = timeline_.place(next + 100ms - 300ms, frame, next + 200ms);
    ASSERT_TRUE(stamp) << "it is late, but follows the previous frame";
    EXPECT_TRUE(stamp->discontinuity);
    EXPECT_NEAR(milliseconds_of(stamp->missing), 100, 1);
}

TEST_F(ReceiveTimelineTest, ReturnsTheGapBeforeAFrame)
{
    EXPECT_FALSE(place(100ms).gap);
    EXPECT_FALSE(place(120ms).gap);
    const auto stamp = place(300ms);
    ASSERT_TRUE(stamp.gap);
    EXPECT_EQ(stamp.gap->start, 140ms);
    EXPECT_EQ(stamp.gap->duration, 160ms);
}

TEST_F(ReceiveTimelineTest, AnnouncesEachPartOfAGapOnce)
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
    EXPECT_EQ(stamp.missing, 230ms) << "since the last frame";
    ASSERT_TRUE(stamp.gap);
    EXPECT_EQ(stamp.gap->start, 320ms);
    EXPECT_EQ(stamp.gap->duration, 30ms);
}

TEST_F(ReceiveTimelineTest, PlacesFrameAfterAnAnnouncedGap)
{
    place(100ms);
    timeline_.announce_gap(300ms);
    const auto stamp = place(290ms);
    EXPECT_EQ(stamp.time, 300ms);
    EXPECT_TRUE(stamp.discontinuity);
    EXPECT_FALSE(stamp.gap);
}

TEST_F(ReceiveTimelineTest, RejectsAFrameFromWithinAnAnnouncedGap)
{
    place(100ms);
    timeline_.announce_gap(300ms);
    EXPECT_FALSE(timeline_.place(250ms, frame, 330ms));
}

TEST_F(ReceiveTimelineTest, StartsGapBeforeTheFirstFrameAtZero)
{
    const auto gap = timeline_.announce_gap(50ms);
    ASSERT_TRUE(gap);
    EXPECT_EQ(gap->start, 0ms);
    EXPECT_EQ(gap->duration, 50ms);
    const auto stamp = place(60ms);
    EXPECT_EQ(stamp.time, 60ms);
    EXPECT_EQ(stamp.missing, 0ns);
    EXPECT_EQ(stamp.gap->duration, 10ms);
}

TEST_F(ReceiveTimelineTest, ForgetsEverythingOnReset)
{
    place(5000ms);
    timeline_.expect_gap();
    timeline_.reset();
    const auto stamp = place(10ms);
    EXPECT_EQ(stamp.time, 10ms);
    EXPECT_EQ(stamp.missing, 0ns);
    EXPECT_FALSE(stamp.gap);
}

} // namespace
} // namespace jkvm
