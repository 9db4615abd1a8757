// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/optimizer/optimizer.h"

#include <gtest/gtest.h>

#include <array>
#include <utility>

namespace jkvm {
namespace {

using namespace std::chrono_literals;
using enum LatencyTrend;

TEST(OptimizationLevel, FollowsTheFormula)
{
    struct {
        nanoseconds latency;
        std::array<unsigned, 4> levels; // decreasing, stable, volatile, increasing
    } const vectors[] = {
        {50ms, {1, 1, 1, 1}},  {90ms, {2, 2, 2, 3}},  {100ms, {2, 2, 3, 3}}, {150ms, {3, 4, 4, 5}},
        {200ms, {4, 5, 6, 6}}, {250ms, {5, 7, 7, 8}}, {300ms, {6, 8, 8, 8}},
    };
    for (const auto &[latency, levels] : vectors) {
        const std::array trends{decreasing, stable, unsteady, increasing};
        for (std::size_t i = 0; i < trends.size(); ++i)
            EXPECT_EQ(optimization_level(latency, trends[i]), levels[i])
                << latency.count() << " " << i;
    }
}

TEST(OptimizationLevel, IsClamped)
{
    EXPECT_EQ(optimization_level(-1s, increasing), 0u);
    EXPECT_EQ(optimization_level(0ms, increasing), 0u);
    EXPECT_EQ(optimization_level(35ms, stable), 0u);
    EXPECT_EQ(optimization_level(nanoseconds::max(), decreasing), 8u);
}

TEST(OptimizedEncoder, IsUnchangedAtLevelZero)
{
    for (const std::uint32_t bitrate : {6000u, 16000u, 96000u, 320000u, 123457u}) {
        wire::EncoderConfig preset;
        preset.bitrate = bitrate;
        preset.complexity = 10;
        preset.stream.frame_size = 480;
        EXPECT_EQ(optimized(preset, 0), preset) << bitrate;
    }
}

TEST(OptimizedEncoder, IsReducedWithEachLevel)
{
    wire::EncoderConfig preset;
    preset.complexity = 8;
    preset.bitrate = 320000;
    preset.stream.frame_size = 480; // 10 ms
    constexpr std::array complexities{8u, 7u, 6u, 5u, 4u, 3u, 2u, 1u, 0u};
    constexpr std::array bitrates{320000u, 288000u, 256000u, 224000u, 192000u,
                                  160000u, 128000u, 105600u, 80000u};
    constexpr std::array frames{480u, 480u, 480u, 480u, 480u, 960u, 960u, 1920u, 1920u};
    for (unsigned level = 0; level <= max_optimization_level; ++level) {
        const auto config = optimized(preset, level);
        EXPECT_EQ(config.complexity, complexities[level]) << level;
        EXPECT_EQ(config.bitrate, bitrates[level]) << level;
        EXPECT_EQ(config.stream.frame_size, frames[level]) << level;
        EXPECT_EQ(wire::EncoderConfig::decode(config.encode()), config) << level;
    }
    EXPECT_EQ(optimized(preset, 9), optimized(preset, 8));
}

TEST(OptimizedEncoder, KeepsLongFramesAndLowBitrates)
{
    wire::EncoderConfig preset;
    preset.stream.sample_rate = 24000;
    preset.stream.frame_size = 1440; // 60 ms
    preset.bitrate = 32000;
    EXPECT_EQ(optimized(preset, 8).stream.frame_size, 1440u);
    EXPECT_EQ(optimized(preset, 8).bitrate, 16000u);
    preset.bitrate = 12000;
    EXPECT_EQ(optimized(preset, 8).bitrate, 12000u);
    preset.stream.frame_size = 240; // 10 ms
    EXPECT_EQ(optimized(preset, 8).stream.frame_size, 960u);
}

/// A frame every 20 ms of simulated time.
class OptimizerTest : public ::testing::Test {
protected:
    /// Records frames with that latency for `time`. Returns the final level.
    unsigned run(nanoseconds latency, nanoseconds time)
    {
        for (const auto end = now_ + time; now_ < end; now_ += 20ms)
            changed_ |= optimizer_.record(latency, now_);
        return optimizer_.level();
    }
    /// Whether the level changed since the previous call.
    bool take_changed() { return std::exchange(changed_, false); }

    nanoseconds now_ = 1000s;
    Optimizer optimizer_;
    bool changed_ = false;
};

TEST_F(OptimizerTest, StaysAtZeroForAShortLatency)
{
    EXPECT_EQ(run(30ms, 600s), 0u);
    EXPECT_FALSE(take_changed());
    EXPECT_EQ(optimizer_.changes(), 0u);
    EXPECT_FALSE(optimizer_.last_change());
}

TEST_F(OptimizerTest, FollowsTheFormulaAfterTwoEvaluations)
{
    EXPECT_EQ(run(150ms, 9s), 0u);
    EXPECT_EQ(run(150ms, 2s), 4u);
    EXPECT_TRUE(take_changed());
    EXPECT_EQ(optimizer_.changes(), 1u);
    EXPECT_EQ(optimizer_.last_change(), 1010s);
}

TEST_F(OptimizerTest, IgnoresSingleLateFrames)
{
    run(20ms, 20ms);
    for (int i = 0; i < 100; ++i) {
        run(20ms, 5s - 20ms);
        run(i % 2 == 0 ? 400ms : 20ms, 20ms); // the frame that is evaluated
    }
    EXPECT_FALSE(take_changed());
    EXPECT_GE(optimizer_.latency().values().maximum, 400ms);
}

TEST_F(OptimizerTest, ChangesAtMostOnceInThirtySeconds)
{
    run(100ms, 11s);
    EXPECT_EQ(optimizer_.level(), 2u);
    EXPECT_EQ(run(300ms, 29s), 2u);
    EXPECT_EQ(run(300ms, 2s), 8u);
    EXPECT_EQ(run(10ms, 27s), 8u);
    EXPECT_EQ(optimizer_.changes(), 2u);
}

TEST_F(OptimizerTest, ReturnsToZeroWithinAMinuteAfterTheLoad)
{
    // The load ends at every phase of the interval and of the cool-down.
    for (auto load = 10s; load < 60s; load += 1s) {
        optimizer_ = Optimizer();
        EXPECT_GT(run(300ms, load + 100ms), 0u) << load.count();
        EXPECT_EQ(run(20ms, 40s), 0u) << load.count();
    }
}

TEST_F(OptimizerTest, DoesNotOscillateAtALevelBoundary)
{
    ASSERT_EQ(run(108ms, 11s), 3u);
    take_changed();
    for (int i = 0; i < 20; ++i) {
        run(106ms, 60s); // 2.97 levels
        run(108ms, 60s); // 3.02
    }
    EXPECT_FALSE(take_changed());
    EXPECT_EQ(run(97ms, 60s), 2u); // 2.72
}

TEST_F(OptimizerTest, ChangesByTheSmallerOfTwoEvaluations)
{
    run(300ms, 5s + 20ms);
    EXPECT_EQ(run(100ms, 5s), 2u);
    run(100ms, 30s);
    run(10ms, 5s); // between two evaluations
    EXPECT_EQ(optimizer_.level(), 2u);
}

TEST_F(OptimizerTest, ReturnsToZeroWhileNothingArrives)
{
    ASSERT_EQ(run(300ms, 11s), 8u);
    const auto idle_since = now_;
    while (optimizer_.level() > 0 && now_ < idle_since + 60s) {
        now_ = optimizer_.idle_deadline().value_or(idle_since + 60s);
        optimizer_.on_idle(now_);
    }
    EXPECT_EQ(optimizer_.level(), 0u);
    EXPECT_LE(now_ - idle_since, 35s);
    EXPECT_EQ(optimizer_.latency().values().current, 300ms); // no sample was invented
}

TEST_F(OptimizerTest, ChangesAfterAsManyEvaluationsAsConfigured)
{
    optimizer_.configure({.evaluations = 1});
    EXPECT_EQ(run(150ms, 6s), 4u);
    optimizer_ = Optimizer({.evaluations = 4});
    EXPECT_EQ(run(150ms, 16s), 0u);
    EXPECT_EQ(run(300ms, 5s), 4u); // the smallest of the four
}

TEST_F(OptimizerTest, ChangesByOneStepAtATime)
{
    optimizer_.configure({.cool_down = 1s, .raise_step = 3, .lower_step = 1});
    EXPECT_EQ(run(300ms, 11s), 3u);
    EXPECT_EQ(run(300ms, 5s), 6u);
    EXPECT_EQ(run(300ms, 5s), 8u);
    EXPECT_EQ(run(10ms, 10s), 7u);
    EXPECT_EQ(run(10ms, 5s), 6u);
    EXPECT_EQ(run(10ms, 60s), 0u);
}

TEST_F(OptimizerTest, ScalesTheFormulaToItsTarget)
{
    optimizer_.configure({.target = 100ms});
    EXPECT_EQ(run(300ms, 11s), 4u);
    EXPECT_EQ(optimization_level(4s, stable, 10s), 0u);
    EXPECT_EQ(optimization_level(nanoseconds::max(), increasing, 1ms), 8u);
}

TEST_F(OptimizerTest, WaitsForTheMinimumNumberOfFrames)
{
    optimizer_.configure({.minimum_samples = 1000});
    EXPECT_EQ(run(300ms, 19s), 0u);
    EXPECT_EQ(run(300ms, 2s), 8u);
}

TEST_F(OptimizerTest, LowersTheLevelWithoutAMargin)
{
    optimizer_.configure({.margin = 0});
    ASSERT_EQ(run(108ms, 11s), 3u);
    EXPECT_EQ(run(106ms, 60s), 2u); // 2.97 levels
}

TEST_F(OptimizerTest, RaisesTheLevelOnlyAboveAThreshold)
{
    const OptimizerThresholds jetkvm{.current = 200ms, .average = 90ms, .jitter = 20ms};
    optimizer_.configure({.thresholds = jetkvm});
    EXPECT_EQ(run(85ms, 60s), 0u); // 2 by the formula
    EXPECT_EQ(run(95ms, 60s), 2u);
    EXPECT_EQ(run(10ms, 60s), 0u); // lowered below them
    for (auto threshold : {OptimizerThresholds{.current = 200ms}, {.average = 90ms}}) {
        optimizer_ = Optimizer({.thresholds = threshold});
        EXPECT_EQ(run(210ms, 11s), 5u);
    }
    optimizer_ = Optimizer({.thresholds = {.jitter = 20ms}});
    EXPECT_EQ(run(210ms, 11s), 0u);
    for (int i = 0; i < 600; ++i)
        run(i % 2 == 0 ? 100ms : 200ms, 20ms);
    EXPECT_EQ(optimizer_.level(), 3u); // 100 ms, volatile
}

TEST_F(OptimizerTest, IsNotIdleBetweenTwoFrames)
{
    ASSERT_EQ(run(300ms, 11s), 8u);
    for (int i = 0; i < 3000; ++i) {
        run(300ms, 20ms);
        EXPECT_FALSE(optimizer_.on_idle(now_ + 19ms));
    }
    EXPECT_EQ(optimizer_.level(), 8u);
}

TEST_F(OptimizerTest, RestartsAtLevelZeroWithoutCoolDown)
{
    ASSERT_EQ(run(300ms, 11s), 8u);
    optimizer_.restart(now_);
    EXPECT_EQ(optimizer_.level(), 0u);
    EXPECT_EQ(optimizer_.changes(), 2u);
    EXPECT_FALSE(optimizer_.idle_deadline());
    now_ = 5s; // on another clock
    EXPECT_EQ(run(300ms, 11s), 8u);
    EXPECT_EQ(optimizer_.changes(), 3u);
}

} // namespace
} // namespace jkvm
