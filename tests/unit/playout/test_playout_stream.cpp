// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests changes of stream, drift, settings and lateness.
#include "playout/playout_test.h"

#include <algorithm>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

TEST_F(PlayoutTest, BackwardMediaTimeStartsANewStream)
{
    arrive_evenly(1000s, 10);
    log();
    now_ = 1000s + 190ms;
    arrive(1000s + 200ms, 0ms);
    run_until(1000s + 241ms);
    const auto text = log();
    EXPECT_NE(text.find("play 1.00018e+06 at 1.00022e+06; FIRST play 0 at 1.00024e+06; "),
              std::string::npos)
        << text;
    EXPECT_EQ(playout_.stats().delay, 40ms);
    EXPECT_EQ(playout_.stats().underruns, 0u);
}

TEST_F(PlayoutTest, ImplausibleMediaTimeStartsANewStream)
{
    arrive_evenly(0ms, 10);
    arrive(200ms, 1h);
    run_until(241ms);
    const auto text = log();
    EXPECT_NE(text.find("FIRST play 3.6e+06 at 240; "), std::string::npos) << text;
}

TEST_F(PlayoutTest, RestartKeepsQueuedFramesAndDiscardsStatistics)
{
    arrive(0ms, 0ms);
    arrive(0ms, 20ms);
    playout_.restart();
    arrive(30ms, 40ms);
    run_until(81ms);
    EXPECT_EQ(log(), "FIRST play 0 at 40; play 20 at 60; FIRST play 40 at 80; ");
    EXPECT_EQ(playout_.stats().transit.minimum, -10ms);
    EXPECT_EQ(playout_.stats().transit.maximum, -10ms);
}

TEST_F(PlayoutTest, FlushDiscardsQueuedFrames)
{
    arrive(0ms, 0ms);
    arrive(1ms, 20ms);
    playout_.flush();
    oldest_handle_ = next_handle_;
    EXPECT_EQ(playout_.stats().queued_frames, 0u);
    arrive(500ms, 40ms);
    run_until(541ms);
    EXPECT_EQ(log(), "FIRST play 40 at 540; ");
    EXPECT_EQ(playout_.stats().paused, 0ms);
}

TEST_F(PlayoutTest, FinishPlaysQueuedFramesImmediately)
{
    arrive(0ms, 0ms);
    arrive(1ms, 20ms);
    arrive(2ms, 60ms);
    finish();
    EXPECT_EQ(log(), "FIRST play 0 at 21; play 20 at 41; play 60 at 81; ");
}

TEST_F(PlayoutTest, FinishEndsAnUnderrun)
{
    arrive(0ms, 0ms);
    run_until(64ms);
    finish();
    EXPECT_EQ(log(), "FIRST play 0 at 40; conceal 2.5 at 60; conceal 2.5 at 62.5; ");
}

TEST_F(PlayoutTest, OutputFollowsTheSendersClock)
{
    config_.drift_mode = DriftMode::pts;
    configure();
    for (int i = 0; i < 5000; ++i) // 300 ppm slow
        arrive(i * 20'006us, i * 20ms);
    const auto known = playout_.stats();
    for (int i = 5000; i < 15000; ++i) // 60 ms more
        arrive(i * 20'006us, i * 20ms);
    const auto stats = playout_.stats();
    EXPECT_NEAR(stats.drift_ppm, 300, 1);
    EXPECT_EQ(stats.underruns, 0u);
    EXPECT_EQ(stats.inserted, 0ms);
    EXPECT_EQ(stats.adaptations, 1u) << "the start";
    EXPECT_NEAR(milliseconds_of(stats.offset - known.offset), 60, 0.5);
}

TEST_F(PlayoutTest, NewStreamDoesNotMoveFramesOfThePreviousOne)
{
    config_.drift_mode = DriftMode::pts;
    configure();
    for (int i = 0; i < 5000; ++i)
        arrive(i * 20'006us, i * 20ms);
    run_until(now_ + 1ms);
    log();
    const auto before = playout_.stats();
    arrive(now_ + 1ms, 0ms);
    EXPECT_NEAR(milliseconds_of(playout_.stats().offset - before.offset), 0, 0.1);
    run_until(now_ + 60ms);
    EXPECT_EQ(log().find("conceal"), std::string::npos);
}

TEST_F(PlayoutTest, FramesModeCompensatesDriftByWholeFrames)
{
    for (int i = 0; i < 15000; ++i) // 300 ppm fast: 90 ms in 5 minutes
        arrive(i * 19'994us, i * 20ms);
    const auto stats = playout_.stats();
    EXPECT_NEAR(stats.drift_ppm, -300, 1);
    EXPECT_EQ(stats.dropped.shrink, 4u);
}

TEST_F(PlayoutTest, NewPolicyKnowsEarlierArrivals)
{
    // Once a second a frame is 60 ms late and delays those behind it.
    const auto arrive_with_stalls = [&](int from, int to) {
        for (auto i = from; i < to; ++i) {
            const auto media = i * 20ms;
            arrive(media + std::max(0ms, 60ms - i % 50 * 20ms), media);
        }
    };
    config_.fixed.delay = 100ms;
    configure();
    arrive_with_stalls(0, 3010);
    config_.policy = PolicyKind::tail_cost;
    configure();
    arrive_with_stalls(3010, 3500);
    EXPECT_EQ(playout_.stats().underruns, 0u);
    EXPECT_EQ(playout_.stats().delay, 80ms);
}

TEST_F(PlayoutTest, CountsDroppedQuietFramesSeparately)
{
    for (int i = 0; i < 40; ++i) {
        if (i == 10)
            config_.fixed.delay = 0ms;
        configure();
        arrive(i * 20ms, {i * 20ms, 20ms, 2500us, true});
    }
    EXPECT_EQ(playout_.stats().dropped.shrink_quiet, 2u);
    EXPECT_EQ(playout_.stats().dropped.shrink, 0u);
}

TEST_F(PlayoutTest, LatenessIsRelativeToTheFastestFrame)
{
    arrive(100ms, 0ms);
    EXPECT_EQ(playout_.lateness(), 0ns);
    arrive(155ms, 20ms);
    EXPECT_EQ(playout_.lateness(), 35ms);
    arrive(156ms, 40ms);
    EXPECT_EQ(playout_.lateness(), 16ms);
    arrive(150ms, 60ms);
    EXPECT_EQ(playout_.lateness(), 0ns);
}

TEST_F(PlayoutTest, LastingLatenessPersistsWhileTheMinimumIsHeld)
{
    arrive(10ms, 0ms);
    playout_.hold_minimum_transit(true);
    auto media = 20ms;
    for (; media < 100s; media += 20ms)
        arrive(media + 110ms, media);
    EXPECT_EQ(playout_.lateness(), 100ms);
    playout_.hold_minimum_transit(false);
    arrive(media + 110ms, media);
    EXPECT_EQ(playout_.lateness(), 0ms) << "relative to recent frames";
}

TEST_F(PlayoutTest, LongerFrameIsNotLater)
{
    arrive(30ms, {0ms, 20ms, 2500us, false});
    playout_.hold_minimum_transit(true);
    arrive(70ms, {20ms, 40ms, 2500us, false});
    EXPECT_EQ(playout_.lateness(), 0ms);
}

TEST_F(PlayoutTest, FramesThatTheSinkHoldsForTheLatencyAreNotLate)
{
    playout_.set_downstream_hold(300ms);
    arrive_evenly(0ms, 3);
    for (auto time = 60ms; time <= 300ms; time += 20ms)
        queue(frame(time), time);
    EXPECT_EQ(playout_.lateness(), 0ms); // the first frame was due at 40
    queue(frame(360ms), 360ms);
    EXPECT_EQ(playout_.lateness(), 20ms);
}

TEST_F(PlayoutTest, LatenessIncludesOverdueFrames)
{
    arrive_evenly(0ms, 3);
    EXPECT_EQ(playout_.lateness(), 0ns);
    for (auto time = 60ms; time <= 300ms; time += 20ms)
        queue(frame(time), time);
    EXPECT_EQ(playout_.lateness(), 260ms); // the first frame was due at 40
}

} // namespace
} // namespace jkvm
