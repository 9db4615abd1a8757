// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests the limits of the queue and of the playout delay.
#include "playout/playout_test.h"

#include <algorithm>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

TEST_F(PlayoutTest, DropsOldestFrameAboveMaxFrames)
{
    config_.policy = PolicyKind::tail_cost;
    config_.tail_cost.late_cost = 1e9; // the policy itself never drops a frame
    config_.max_frames = 3;
    configure();
    EXPECT_EQ(arrive(36ms, 0ms), 0u);
    EXPECT_EQ(arrive(37ms, 20ms), 0u);
    EXPECT_EQ(arrive(38ms, 40ms), 0u);
    EXPECT_EQ(arrive(39ms, 60ms), 1u);
    run_until(80ms);
    EXPECT_EQ(log(), "FIRST play 20 at 41; play 40 at 61; ") << "the slot is kept, without a gap";
    EXPECT_EQ(playout_.stats().dropped.overflow, 1u);
}

TEST_F(PlayoutTest, DropsOldestFramesAboveMaxTime)
{
    config_.max_time = 50ms;
    configure();
    EXPECT_EQ(arrive(0ms, 0ms), 0u);
    EXPECT_EQ(arrive(0ms, 20ms), 0u);
    EXPECT_EQ(arrive(0ms, 40ms), 1u);
    EXPECT_EQ(arrive(0ms, {60ms, 60ms, 2500us, false}), 2u) << "the newest one is kept";
    EXPECT_EQ(playout_.stats().queued_frames, 1u);
    EXPECT_EQ(playout_.stats().queued_time, 60ms);
}

TEST_F(PlayoutTest, NeverExceedsItsCapacity)
{
    config_.policy = PolicyKind::tail_cost;
    config_.max_frames = 100'000;
    config_.max_time = 1h;
    configure();
    for (int i = 0; i < 3000; ++i) {
        arrive(1ms, i * 20ms);
        ASSERT_LT(playout_.stats().queued_frames, FrameRing::capacity);
    }
}

// A stall of one second must not leave a delay of one second.
TEST_F(PlayoutTest, DelayFallsAfterAStall)
{
    config_.policy = PolicyKind::tail_cost;
    configure();
    arrive_evenly(0ms, 6000);
    for (int i = 6000; i < 6050; ++i)
        arrive(121s, i * 20ms);
    arrive_evenly(121s, 50);
    EXPECT_LT(playout_.stats().delay, 25ms);
    EXPECT_EQ(playout_.stats().underruns, 1u);
}

TEST_F(PlayoutTest, DelayStaysBelowItsMaximum)
{
    config_.policy = PolicyKind::tail_cost;
    config_.max_delay = 60ms;
    configure();
    // Alternating every second: the policy requests 150 ms.
    const auto jitter = [](int i) { return (i / 50 % 2) * 150ms; };
    for (int i = 0; i < 2990; ++i)
        arrive(std::max<nanoseconds>(now_, i * 20ms + jitter(i)), i * 20ms);
    EXPECT_GT(playout_.stats().delay, 60ms) << "a frame that late can only be played late";
    for (int i = 2990; i < 3040; ++i)
        arrive(std::max<nanoseconds>(now_, i * 20ms + jitter(i)), i * 20ms);
    run_until(now_ + 60ms);
    EXPECT_LE(playout_.stats().delay, 60ms);
    EXPECT_GT(playout_.stats().dropped.max_delay + playout_.stats().dropped.late, 0u);
}

TEST_F(PlayoutTest, ReachesAndKeepsMinimumDelay)
{
    config_.policy = PolicyKind::tail_cost;
    configure();
    arrive_evenly(0ms, 500);
    EXPECT_EQ(playout_.stats().delay, 5ms);
    config_.min_delay = 50ms;
    configure();
    arrive_evenly(10000ms, 2000);
    EXPECT_EQ(playout_.stats().delay, 50ms);
    EXPECT_EQ(playout_.stats().inserted, 45ms);
    EXPECT_EQ(playout_.stats().adaptations, 2u) << "the start, and this once";
}

TEST_F(PlayoutTest, DelayIsLimitedByTheSizeOfTheQueue)
{
    config_.max_delay = 5s;
    config_.max_time = 200ms;
    for (const auto policy : {PolicyKind::fixed, PolicyKind::tail_cost}) {
        config_.policy = policy;
        config_.fixed.delay = 2s;
        config_.min_delay = policy == PolicyKind::fixed ? 0ms : 2s;
        playout_.restart();
        configure();
        arrive_evenly(now_, 500);
        const auto before = playout_.stats();
        arrive_evenly(now_ + 20ms, 500);
        const auto stats = playout_.stats();
        EXPECT_EQ(stats.inserted, before.inserted);
        EXPECT_EQ(stats.dropped.overflow, before.dropped.overflow);
        EXPECT_EQ(stats.delay, 190ms);
    }
}

TEST_F(PlayoutTest, DropsOldestFrameAboveMaxBytes)
{
    config_.max_bytes = 250;
    configure();
    auto sized = [](nanoseconds media_time) {
        auto result = frame(media_time);
        result.bytes = 100;
        return result;
    };
    EXPECT_EQ(arrive(1ms, sized(0ms)), 0u);
    EXPECT_EQ(arrive(21ms, sized(20ms)), 0u);
    EXPECT_FALSE(playout_.has_room_for(sized(40ms)));
    EXPECT_EQ(arrive(31ms, sized(40ms)), 1u);
    run_until(70ms);
    EXPECT_EQ(log(), "FIRST play 20 at 41; play 40 at 61; ");
    EXPECT_EQ(playout_.stats().dropped.overflow, 1u);
    EXPECT_EQ(playout_.level().bytes, 0u);
}

TEST_F(PlayoutTest, LevelCountsQueuedFrames)
{
    EXPECT_EQ(playout_.oldest(), std::nullopt);
    auto large = frame(0ms);
    large.bytes = 80;
    arrive(0ms, large);
    arrive(15ms, 20ms);
    EXPECT_EQ(playout_.oldest(), 0u);
    EXPECT_EQ(playout_.level().frames, 2u);
    EXPECT_EQ(playout_.level().bytes, 80u);
    EXPECT_EQ(playout_.level().time, 40ms);
    run_until(41ms);
    EXPECT_EQ(playout_.oldest(), 1u);
    EXPECT_EQ(playout_.level().bytes, 0u);
}

} // namespace
} // namespace jkvm
