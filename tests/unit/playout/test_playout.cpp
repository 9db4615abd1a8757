// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests the order, the times and the concealment of frames.
#include "playout/playout_test.h"

#include <algorithm>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

TEST_F(PlayoutTest, PlaysFramesEvenly)
{
    arrive(10ms, 0ms);
    arrive(65ms, 20ms);
    arrive(65ms, 40ms);
    arrive(80ms, 60ms);
    run_until(111ms);
    EXPECT_EQ(log(), "FIRST play 0 at 50; play 20 at 70; play 40 at 90; play 60 at 110; ");
    EXPECT_EQ(playout_.stats().played, 4u);
    EXPECT_EQ(playout_.stats().underruns, 0u);
}

TEST_F(PlayoutTest, WaitsForTheFirstFrame)
{
    const auto action = playout_.next(now_);
    ASSERT_TRUE(std::holds_alternative<Playout::Wait>(action));
    EXPECT_EQ(std::get<Playout::Wait>(action).until, Playout::Wait::indefinitely);
}

TEST_F(PlayoutTest, ConcealsInStepsUntilALateFrameArrives)
{
    arrive(0ms, 0ms);
    arrive(66ms, 20ms); // due at 60
    run_until(90ms);
    EXPECT_EQ(log(), "FIRST play 0 at 40; conceal 2.5 at 60; conceal 2.5 at 62.5; "
                     "conceal 2.5 at 65; play 20 at 67.5; conceal 2.5 at 87.5; ");
    const auto stats = playout_.stats();
    EXPECT_EQ(stats.underruns, 1u);
    EXPECT_EQ(stats.concealed, 7500us);
    EXPECT_EQ(stats.late, 1u);
    EXPECT_EQ(stats.delay, 47500us) << "the delay grows in an underrun";
}

// Each step fades, so the first one has the maximum length that the decoder accepts.
TEST_F(PlayoutTest, ConcealsInTheLongestStepFirst)
{
    auto first = frame(0ms);
    first.maximum_conceal_step = 20ms;
    arrive(0ms, first);
    arrive(66ms, 20ms); // due at 60
    run_until(81ms);
    EXPECT_EQ(log(), "FIRST play 0 at 40; conceal 20 at 60; play 20 at 80; ");

    now_ = 1s;
    playout_.flush();
    oldest_handle_ = next_handle_;
    first.media_time = 1s;
    arrive(1s, first);
    run_until(1120ms);
    EXPECT_EQ(log(), "FIRST play 1000 at 1040; conceal 20 at 1060; conceal 10 at 1080; "
                     "conceal 10 at 1090; conceal 10 at 1100; conceal 10 at 1110; ");
}

TEST_F(PlayoutTest, ConcealStepIsThatOfThePreviousFrame)
{
    arrive(0ms, 0ms);
    arrive(20ms, {20ms, 20ms, 10ms, false});
    arrive(81ms, 40ms);
    run_until(100ms);
    EXPECT_EQ(log(), "FIRST play 0 at 40; play 20 at 60; conceal 10 at 80; play 40 at 90; ");
}

TEST_F(PlayoutTest, ResumesAfterABurstWithTheFrameThatFitsTheDelay)
{
    arrive(0ms, 0ms);
    for (const auto media : {20ms, 40ms, 60ms, 80ms}) // held back until 101
        arrive(101ms, media);
    run_until(125ms);
    // 41.5 ms are concealed by 102.5; frame 60 would play 42.5 ms after its media time.
    const auto text = log();
    EXPECT_NE(text.find("conceal 2.5 at 100; drop late; drop late; play 60 at 102.5; play 80 at"),
              std::string::npos)
        << text;
    EXPECT_EQ(playout_.stats().dropped.late, 2u);
}

TEST_F(PlayoutTest, ConcealsTheRestOfALongUnderrunAsOnePiece)
{
    arrive(0ms, 0ms);
    run_until(1000ms);
    const auto live = log();
    EXPECT_NE(live.find("conceal 2.5 at 157.5; "), std::string::npos);
    EXPECT_EQ(live.find("at 160"), std::string::npos)
        << "live concealment ends after 100 ms: " << live;
    arrive(1000ms, 20ms);
    run_until(1030ms);
    EXPECT_EQ(log(), "conceal 840 at 160; play 20 at 1000; conceal 2.5 at 1020; "
                     "conceal 2.5 at 1022.5; conceal 2.5 at 1025; conceal 2.5 at 1027.5; ");
    EXPECT_EQ(playout_.stats().concealed, 940ms);
}

TEST_F(PlayoutTest, ResumesEvenIfItsThreadWakesUpLate)
{
    arrive(0ms, 0ms);
    run_until(1000ms);
    arrive(1000ms, 20ms);
    EXPECT_TRUE(std::holds_alternative<Playout::Conceal>(playout_.next(1000ms)));
    // Due at 1000, called at 1003.
    EXPECT_TRUE(std::holds_alternative<Playout::Play>(playout_.next(1003ms)));
}

TEST_F(PlayoutTest, PauseOfTheSenderIsNotAnUnderrun)
{
    arrive(0ms, 0ms);
    arrive(5000ms, 5000ms);
    run_until(5050ms);
    const auto text = log();
    EXPECT_NE(text.find("conceal 4880 at 160; play 5000 at 5040; "), std::string::npos) << text;
    const auto stats = playout_.stats();
    EXPECT_EQ(stats.underruns, 0u);
    EXPECT_EQ(stats.late, 0u);
    EXPECT_EQ(stats.concealed, 0ms);
    EXPECT_EQ(stats.paused, 4980ms);
    EXPECT_EQ(stats.delay, 40ms);
}

TEST_F(PlayoutTest, CountsOnlyTheLatenessOfALateFrameAfterAPause)
{
    arrive(0ms, 0ms);
    arrive(111ms, 60ms); // 20 and 40 were never sent; this is due at 100
    run_until(130ms);
    const auto stats = playout_.stats();
    EXPECT_EQ(stats.underruns, 1u);
    EXPECT_EQ(stats.paused, 40ms);
    EXPECT_EQ(stats.concealed, 12500us);
}

// A lost frame must not raise the delay.
TEST_F(PlayoutTest, DoesNotMistakeLossForLateness)
{
    config_.policy = PolicyKind::tail_cost;
    configure();
    for (int i = 0; i < 3000; ++i)
        if (i % 10 != 7)
            arrive(i * 20ms, i * 20ms);
    const auto stats = playout_.stats();
    EXPECT_EQ(stats.underruns, 0u);
    EXPECT_EQ(stats.dropped.late + stats.dropped.shrink, 0u);
    EXPECT_EQ(stats.paused, 300 * 20ms);
    EXPECT_EQ(stats.delay, 5ms);
}

TEST_F(PlayoutTest, ConcealsALostFrameAsOnePieceIfTheNextIsQueued)
{
    arrive(0ms, 0ms);
    arrive(40ms, 40ms);
    run_until(81ms);
    EXPECT_EQ(log(), "FIRST play 0 at 40; conceal 20 at 60; play 40 at 80; ");
}

TEST_F(PlayoutTest, DelayFollowsItsTargetByWholeFramesAtALimitedRate)
{
    arrive_evenly(0ms, 50);
    config_.fixed.delay = 80ms;
    configure();
    log();
    arrive_evenly(1000ms, 50);
    EXPECT_EQ(playout_.stats().delay, 80ms) << "the delay must follow the target";
    EXPECT_EQ(playout_.stats().inserted, 40ms);
    EXPECT_EQ(playout_.stats().underruns, 0u);
    config_.fixed.delay = 21ms;
    configure();
    arrive_evenly(2000ms, 50);
    EXPECT_EQ(playout_.stats().delay, 40ms) << "the last step would be less than a frame too far";
    EXPECT_EQ(playout_.stats().dropped.shrink, 2u);
    EXPECT_EQ(playout_.stats().adaptations, 1u + 2u + 2u);
}

TEST_F(PlayoutTest, DelayFollowsItsTarget)
{
    config_.policy = PolicyKind::tail_cost;
    configure();
    // Once a second, frames are held back by `stall`.
    auto media = 0ms;
    const auto follow = [&](std::chrono::milliseconds length, std::chrono::milliseconds stall) {
        for (const auto end = media + length; media < end; media += 20ms)
            arrive(media + std::max(0ms, stall - media % 1000ms), media);
        const auto stats = playout_.stats();
        EXPECT_LE(std::chrono::abs(stats.delay - stats.target_delay), 20ms);
        return stats.target_delay;
    };
    EXPECT_LT(follow(60s, 0ms), 20ms);
    EXPECT_GT(follow(120s, 80ms), 60ms);
    EXPECT_LT(follow(180s, 0ms), 20ms);
}

TEST_F(PlayoutTest, DoesNotDropTheOnlyQueuedFrame)
{
    arrive(0ms, 0ms);
    arrive(20ms, 20ms);
    run_until(50ms);
    config_.fixed.delay = 0ms;
    configure();
    arrive(75ms, 40ms); // not there yet when 20 is due
    run_until(80ms);
    EXPECT_EQ(log(), "FIRST play 0 at 40; play 20 at 60; ");
}

TEST_F(PlayoutTest, KeepsTheDistributionWhenSettingsChange)
{
    config_.policy = PolicyKind::tail_cost;
    configure();
    arrive_evenly(0ms, 100, 30ms);
    const auto target = playout_.stats().target_delay;
    arrive(2070ms, 2000ms); // 40 ms later than all others
    config_.tail_cost.late_cost = 60000;
    configure();
    EXPECT_EQ(playout_.stats().target_delay, target + 40ms);
}

TEST_F(PlayoutTest, OutputTimesAreContiguous)
{
    config_.policy = PolicyKind::tail_cost;
    configure();
    auto end = -1ns;
    const auto check = [&](nanoseconds until) {
        for (;;) {
            const auto action = playout_.next(now_);
            if (const auto *wait = std::get_if<Playout::Wait>(&action)) {
                if (wait->until > until)
                    return;
                now_ = wait->until;
            } else if (const auto *play = std::get_if<Playout::Play>(&action)) {
                if (end >= 0ns) {
                    ASSERT_EQ(play->output_time, end);
                }
                end = play->output_time + play->duration;
            } else if (const auto *conceal = std::get_if<Playout::Conceal>(&action)) {
                ASSERT_EQ(conceal->output_time, end);
                end += conceal->duration;
            }
        }
    };
    std::uint32_t random = 1;
    auto arrival = 0ns;
    for (int i = 0; i < 20000; ++i) {
        random = random * 1664525 + 1013904223;
        const bool loud = (i / 4000) % 2 == 1;
        arrival = std::max<nanoseconds>(arrival, i * 20ms + (random >> 24) * (loud ? 500us : 50us));
        check(arrival);
        now_ = std::max(now_, arrival);
        ASSERT_EQ(queue(frame(i * 20ms), arrival), 0u);
    }
    EXPECT_GT(playout_.stats().concealed, 0ms);
    EXPECT_GT(playout_.stats().dropped.shrink, 0u);
}

TEST_F(PlayoutTest, PlaysFramesOfDifferentDurations)
{
    auto media = 0ms;
    for (const auto duration : {20ms, 10ms, 60ms, 5ms, 120ms}) {
        arrive(media, {media, duration, 2500us, false});
        media += duration;
    }
    run_until(300ms);
    const auto text = log();
    EXPECT_EQ(text.substr(0, text.find("conceal")),
              "FIRST play 0 at 40; play 20 at 60; play 30 at 70; play 90 at 130; play 95 at 135; ");
}

TEST_F(PlayoutTest, OutputNeverStepsBackForOverlappingMediaTimes)
{
    arrive(0ms, 0ms);
    arrive(5ms, 5ms); // starts 15 ms before the first one ends
    arrive(25ms, 25ms);
    run_until(81ms);
    EXPECT_EQ(log(), "FIRST play 0 at 40; play 5 at 60; play 25 at 80; ");
}

} // namespace
} // namespace jkvm
