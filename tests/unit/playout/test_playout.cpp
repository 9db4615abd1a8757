// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/playout/playout.h"

#include <gtest/gtest.h>

#include <sstream>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

class NoLoad final : public SystemLoad {
public:
    std::optional<LoadSample> sample() override { return std::nullopt; }
};

/// Runs the engine on simulated time and logs its actions, in milliseconds.
class PlayoutTest : public testing::Test {
protected:
    PlayoutTest()
    {
        config_.policy = PolicyKind::fixed;
        config_.drift_mode = DriftMode::frames;
        config_.fixed.delay = 40ms;
        configure();
    }

    void configure() { playout_.configure(config_, now_); }

    static PlayoutFrame frame(nanoseconds media_time) { return {media_time, 20ms, 2500us, false}; }

    /// Runs until `time`, then queues the frame. Returns the number of frames that overflowed.
    std::size_t arrive(nanoseconds time, const PlayoutFrame &frame)
    {
        run_until(time);
        now_ = time;
        return queue(frame, time);
    }
    std::size_t queue(PlayoutFrame frame, nanoseconds time)
    {
        frame.handle = next_handle_++;
        playout_.arrive(frame, time);
        std::size_t overflowed = 0;
        for (; const auto handle = playout_.drop_overflow(); ++overflowed)
            EXPECT_EQ(*handle, oldest_handle_++);
        return overflowed;
    }
    std::size_t arrive(nanoseconds time, nanoseconds media_time)
    {
        return arrive(time, frame(media_time));
    }
    /// Queues `count` frames, each `transit` after its media time.
    void arrive_evenly(nanoseconds first_media_time, int count, nanoseconds transit = 0ms)
    {
        for (int i = 0; i < count; ++i)
            arrive(first_media_time + i * 20ms + transit, first_media_time + i * 20ms);
    }

    /// Excludes actions at `time` itself.
    void run_until(nanoseconds time)
    {
        while (now_ < time) {
            const auto action = playout_.next(now_);
            if (const auto *wait = std::get_if<Playout::Wait>(&action))
                now_ = std::min(wait->until, time);
            else if (std::holds_alternative<Playout::End>(action))
                return;
            else
                write(action);
        }
    }
    void finish()
    {
        playout_.finish();
        for (;;) {
            const auto action = playout_.next(now_);
            if (std::holds_alternative<Playout::End>(action))
                return;
            ASSERT_FALSE(std::holds_alternative<Playout::Wait>(action));
            write(action);
        }
    }
    /// Actions since the previous call.
    std::string log()
    {
        auto text = log_.str();
        log_.str("");
        return text;
    }

    PlayoutConfig config_;
    NoLoad load_;
    Playout playout_{config_, load_};
    nanoseconds now_{0};
    std::uint64_t next_handle_ = 0;
    std::uint64_t oldest_handle_ = 0; // of the frames that were neither played nor dropped

private:
    void write(const Playout::Action &action)
    {
        if (const auto *play = std::get_if<Playout::Play>(&action)) {
            EXPECT_EQ(play->handle, oldest_handle_++);
            log_ << (play->is_first ? "FIRST " : "") << "play " << milliseconds_of(play->media_time)
                 << " at " << milliseconds_of(play->output_time) << "; ";
        } else if (const auto *conceal = std::get_if<Playout::Conceal>(&action))
            log_ << "conceal " << milliseconds_of(conceal->duration) << " at "
                 << milliseconds_of(conceal->output_time) << "; ";
        else if (const auto *drop = std::get_if<Playout::Drop>(&action)) {
            EXPECT_EQ(drop->handle, oldest_handle_++);
            log_ << (drop->reason == Playout::DropReason::late     ? "drop late; "
                     : drop->reason == Playout::DropReason::shrink ? "drop shrink; "
                                                                   : "drop max-delay; ");
        }
    }

    std::ostringstream log_;
};

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
