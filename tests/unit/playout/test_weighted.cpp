// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/playout/weighted.h"

#include <gtest/gtest.h>

#include <vector>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

// --- the formula ---

/// The initial size and the sizes after each step with the same factor.
std::vector<double> sizes(double factor, int steps, WeightedConfig config = {})
{
    WeightedSize size(config);
    std::vector<double> result{size.frames()};
    for (int i = 0; i < steps; ++i) {
        size.step(factor, config);
        result.push_back(size.frames());
    }
    return result;
}

using Sizes = std::vector<double>;

TEST(WeightedSize, ReproducesTheSequencesOfJetKvm)
{
    EXPECT_EQ(sizes(1, 7), (Sizes{6, 10, 13, 15, 17, 18, 19, 19}));
    EXPECT_EQ(sizes(0.5, 9), (Sizes{6, 8, 10, 12, 13, 14, 15, 16, 17, 17}));
    EXPECT_EQ(sizes(-1, 3), (Sizes{6, 5, 4, 4}));
    auto from_20 = WeightedConfig{};
    from_20.start_frames = 20;
    EXPECT_EQ(sizes(-0.4, 11, from_20), (Sizes{20, 18, 16, 14, 13, 12, 11, 10, 9, 8, 7, 7}));
}

TEST(WeightedSize, StopsShortOfItsLimitsLikeJetKvm)
{
    const auto third = sizes(0.3, 40);
    EXPECT_EQ(third[1], 7);
    EXPECT_EQ(third[2], 8);
    EXPECT_EQ(third.back(), 15);
    EXPECT_EQ(sizes(1, 100).back(), 19) << "never 20";
    EXPECT_EQ(sizes(-1, 100).back(), 4) << "never 3";
    for (const auto factor : {0.1, 0.0, -0.1, -0.3, -0.5})
        EXPECT_EQ(sizes(factor, 100).back(), 6) << "the dead zone, at " << factor;
}

TEST(WeightedSize, IgnoresAStepOfLessThanHalfAFrame)
{
    WeightedConfig config;
    config.start_frames = 6.4;
    EXPECT_EQ(sizes(0, 1, config).back(), 6.4);
    config.start_frames = 7;
    EXPECT_EQ(sizes(0.12, 1, config).back(), 7) << "0.468";
    EXPECT_EQ(sizes(0.13, 1, config).back(), 8) << "0.507";
}

TEST(WeightedSize, FractionalSizeReachesBothLimits)
{
    WeightedConfig config;
    config.fractional_size = true;
    EXPECT_NEAR(sizes(1, 100, config).back(), 20, 0.01);
    EXPECT_NEAR(sizes(-1, 100, config).back(), 3, 0.01);
    EXPECT_DOUBLE_EQ(sizes(0.1, 1, config).back(), 6 + 0.3 * 0.1 * 14);
    EXPECT_GT(sizes(0.1, 100, config).back(), 19) << "no dead zone";
}

TEST(WeightedSize, StaysWithinItsLimits)
{
    WeightedConfig config;
    config.max_frames = 8;
    config.smoothing = 1;
    EXPECT_EQ(sizes(1, 5, config).back(), 8);
    EXPECT_EQ(sizes(-1, 5, config).back(), 3);
}

TEST(WeightedSize, MinimumAppliesWhenItExceedsTheMaximum)
{
    WeightedConfig config;
    config.min_frames = 30;
    for (const auto factor : {1, -1})
        EXPECT_EQ(sizes(factor, 3, config), (Sizes{6, 30, 30, 30}));
}

TEST(WeightedFactor, IsLinearBetweenItsThresholds)
{
    const WeightedConfig config;
    EXPECT_EQ(weighted_factor(30, config.cpu), 0.5);
    EXPECT_EQ(weighted_factor(40, config.cpu), 0);
    EXPECT_EQ(weighted_factor(50, config.cpu), -0.5);
    EXPECT_EQ(weighted_factor(62.5, config.memory), 0);
    EXPECT_EQ(weighted_factor(35, config.latency), 0);
    EXPECT_EQ(weighted_factor(20, config.cpu), 1);
    EXPECT_EQ(weighted_factor(60, config.cpu), -1);
    EXPECT_EQ(weighted_factor(0, config.cpu), 1);
    EXPECT_EQ(weighted_factor(100, config.cpu), -1);
}

TEST(WeightedFactor, IsAStepWhenTheThresholdsAreEqual)
{
    const WeightedConfig::Input input{50, 50, 1};
    EXPECT_EQ(weighted_factor(49, input), 1);
    EXPECT_EQ(weighted_factor(50, input), 0);
    EXPECT_EQ(weighted_factor(51, input), -1);
}

// --- the policy ---

class FakeLoad final : public SystemLoad {
public:
    std::optional<LoadSample> load = LoadSample{10, 30};
    int samples = 0;
    std::optional<LoadSample> sample() override
    {
        ++samples;
        return load;
    }
};

class WeightedPolicyTest : public testing::Test {
protected:
    /// Frames with that transit that spend `wait` in the queue.
    void run(nanoseconds length, nanoseconds transit, nanoseconds wait = 0ms)
    {
        for (const auto end = now_ + length; now_ < end; now_ += 20ms) {
            policy_.observe({now_, transit, transit, transit, 20ms});
            policy_.on_slot({now_, policy_.target(), 20ms, wait, false, true});
        }
    }

    FakeLoad load_;
    WeightedConfig config_;
    WeightedPolicy policy_{config_, load_};
    nanoseconds now_{0};
};

TEST_F(WeightedPolicyTest, FactorsAreWeightedAndSummed)
{
    load_.load = LoadSample{70, 10};
    run(100ms, 60ms);
    EXPECT_NEAR(policy_.inputs().factor, -0.4, 1e-12);
    EXPECT_EQ(policy_.inputs().cpu_factor, -1);
    EXPECT_EQ(policy_.inputs().memory_factor, 1);
    EXPECT_EQ(policy_.inputs().latency_factor, -1);
    EXPECT_EQ(policy_.inputs().cpu_percent, 70);
    EXPECT_EQ(policy_.inputs().memory_percent, 10);
    EXPECT_EQ(policy_.inputs().latency_ms, 60);
    policy_.reset();
    run(100ms, 10ms);
    EXPECT_NEAR(policy_.inputs().factor, 0, 1e-12);
}

TEST_F(WeightedPolicyTest, StepsOncePerInterval)
{
    run(3s, 5ms);
    EXPECT_EQ(load_.samples, 6);
    EXPECT_EQ(policy_.inputs().size_frames, 19);
    EXPECT_EQ(policy_.inputs().size_changes, 6u);
}

TEST_F(WeightedPolicyTest, TargetIsTheSizeAboveTheMinimumTransit)
{
    EXPECT_EQ(policy_.start_delay(), 120ms);
    run(20ms, 5ms); // one step, to 10 frames
    EXPECT_EQ(policy_.target(), 205ms);
}

TEST_F(WeightedPolicyTest, LatencyIsAnAverageThatStartsAtTheFirstSample)
{
    run(20ms, 30ms);
    EXPECT_EQ(policy_.inputs().latency_ms, 30);
    policy_.observe({now_, 50ms, 50ms, 50ms, 20ms});
    now_ += 500ms;
    policy_.on_slot({now_, 0ms, 20ms, 0ms, false, true});
    EXPECT_EQ(policy_.inputs().latency_ms, 32);
}

TEST_F(WeightedPolicyTest, KeepsItsSizeWhileTheLoadIsUnknown)
{
    load_.load.reset();
    run(5s, 5ms);
    EXPECT_EQ(policy_.inputs().size_frames, 6);
    EXPECT_EQ(policy_.inputs().size_changes, 0u);
}

// The fault that queue_latency corrects: 400 ms in the queue do not count as latency.
TEST_F(WeightedPolicyTest, CountsTheQueueLatencyOnlyIfConfigured)
{
    run(1s, 5ms, 400ms);
    EXPECT_EQ(policy_.inputs().latency_factor, 1);
    config_.queue_latency = true;
    policy_.configure(config_);
    policy_.reset();
    run(1s, 5ms, 400ms);
    EXPECT_EQ(policy_.inputs().latency_factor, -1);
    EXPECT_EQ(policy_.inputs().latency_ms, 400);
}

TEST_F(WeightedPolicyTest, UsesEveryConstantOfItsConfig)
{
    config_ = {1, 11, 5, {0, 100, 1}, {0, 100, 0}, {0, 100, 0}, 100ms, 1, true, false};
    load_.load = LoadSample{25, 50};
    policy_.configure(config_);
    policy_.reset();
    run(20ms, 50ms);
    EXPECT_DOUBLE_EQ(policy_.inputs().size_frames, 5 + 0.5 * 6);
    run(100ms, 50ms);
    EXPECT_DOUBLE_EQ(policy_.inputs().size_frames, 8 + 0.5 * 3);
}

} // namespace
} // namespace jkvm
