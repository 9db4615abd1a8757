// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests the scoring, and typical failures of playout policies, on arrivals of a few minutes.
#include "benchmarks/replay.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

namespace jkvm::benchmark {
namespace {

using namespace std::chrono_literals;

constexpr auto frame = 20ms;

/// Frames that arrive `transit` after their media time, but never before the previous one.
template <typename Transit>
Trace make_trace(nanoseconds length, Transit transit)
{
    Trace trace;
    auto arrival = 0ns;
    for (auto media = 0ns; media < length; media += frame) {
        arrival = std::max<nanoseconds>(arrival, media + transit(media));
        trace.push_back({media, arrival, media});
    }
    return trace;
}

class Gamma {
public:
    explicit Gamma(unsigned seed = 1) : random_(seed) {}
    nanoseconds operator()(double shape, double scale_ms)
    {
        std::gamma_distribution<double> gamma(shape, scale_ms);
        return nanoseconds(static_cast<std::int64_t>(1e6 * gamma(random_)));
    }

private:
    std::mt19937_64 random_;
};

ReplayResult run(const Trace &trace, const PlayoutConfig &config = {},
                 const ReplaySettings &settings = {})
{
    SteadyLoad load;
    return replay(trace, config, load, settings);
}

double cost(const Score &score)
{
    return score.mean_delay_ms + 20000 * score.disturbance;
}

PlayoutConfig fixed(nanoseconds delay)
{
    PlayoutConfig config;
    config.policy = PolicyKind::fixed;
    config.drift_mode = DriftMode::frames;
    config.fixed.delay = delay;
    return config;
}

// --- scoring ---

TEST(Scoring, MeasuresTheDelay)
{
    const auto trace = make_trace(60s, [](auto) { return 0ms; });
    const auto score = run(trace, fixed(40ms)).score;
    EXPECT_EQ(score.frames, 50u * 50);
    EXPECT_DOUBLE_EQ(score.mean_delay_ms, 40);
    EXPECT_DOUBLE_EQ(score.p95_delay_ms, 40);
    EXPECT_DOUBLE_EQ(score.max_delay_ms, 40);
    EXPECT_EQ(score.disturbance, 0);
    EXPECT_EQ(score.delay_variation_ms_per_min, 0);
}

TEST(Scoring, CountsConcealmentAsPartOfTheOutput)
{
    const auto trace = make_trace(60s, [](auto media) { return media == 30s ? 50ms : 0ms; });
    ReplaySettings settings;
    settings.maximum_conceal_step = settings.conceal_step;
    const auto score = run(trace, fixed(40ms), settings).score;
    EXPECT_EQ(score.underruns, 1u);
    EXPECT_DOUBLE_EQ(score.concealed_ms, 10);
    EXPECT_NEAR(score.disturbance, 10.0 / 50010, 1e-9);
    EXPECT_NEAR(score.delay_variation_ms_per_min, 10 * 60 / 50.01, 0.01);
}

TEST(Scoring, IgnoresTheStart)
{
    const auto trace = make_trace(60s, [](auto media) { return media == 5s ? 50ms : 0ms; });
    EXPECT_EQ(run(trace, fixed(40ms)).score.underruns, 0u);
    ReplaySettings settings;
    settings.skip = 0s;
    EXPECT_EQ(run(trace, fixed(40ms), settings).score.underruns, 1u);
}

TEST(Scoring, PauseOfTheSenderIsNotADisturbance)
{
    auto trace = make_trace(60s, [](auto) { return 0ms; });
    std::erase_if(trace, [](const auto &f) { return f.media >= 30s && f.media < 35s; });
    EXPECT_EQ(run(trace, fixed(40ms)).score.disturbance, 0);
}

TEST(Scoring, DropIsFreeNextToConcealmentAndPaidElsewhere)
{
    // A stall of 100 ms: a part is concealed, and a part of the backlog is skipped.
    const auto stalled = make_trace(
        60s, [](auto media) { return media >= 30s && media < 30100ms ? 30100ms - media : 0ns; });
    const auto skipped = run(stalled, fixed(40ms)).score;
    EXPECT_EQ(skipped.underruns, 1u);
    EXPECT_EQ(skipped.dropped_paid, 0u);
    EXPECT_EQ(skipped.dropped_free, 3u);

    // The transit falls by 40 ms: two frames are dropped, and none is concealed.
    const auto shorter = make_trace(60s, [](auto media) { return media < 30s ? 40ms : 0ms; });
    const auto dropped = run(shorter, fixed(40ms)).score;
    EXPECT_EQ(dropped.underruns, 0u);
    EXPECT_EQ(dropped.dropped_paid, 2u);
    EXPECT_EQ(dropped.dropped_free, 0u);
    EXPECT_NEAR(dropped.disturbance, 40.0 / 49960, 1e-9);
}

// --- typical failures of playout policies ---

Trace loud_between(nanoseconds start, nanoseconds end, nanoseconds length)
{
    return make_trace(length, [&, gamma = Gamma()](auto media) mutable {
        return gamma(2, media >= start && media < end ? 15 : 2);
    });
}

TEST(TailCost, ShrinksWithinAMinuteAfterJitterEnds)
{
    const auto played = run(loud_between(180s, 420s, 600s)).played;
    const auto at = [&](nanoseconds media) {
        return std::find_if(played.begin(), played.end(),
                            [media](const auto &f) { return f.media >= media; })
            ->delay;
    };
    EXPECT_LT(at(170s), 40ms);
    EXPECT_GT(at(300s), 80ms);
    EXPECT_LE(at(480s), 60ms);
}

TEST(TailCost, BurstDoesNotRaiseTheDelayToSeconds)
{
    const auto trace = make_trace(300s, [gamma = Gamma()](nanoseconds media) mutable {
        return media >= 120s && media < 122s ? 122s - media : gamma(2, 2);
    });
    const auto result = run(trace);
    EXPECT_LE(result.score.max_delay_ms, 520) << "max-delay plus one frame";
    EXPECT_LT(result.score.p99_delay_ms, 60);
}

TEST(TailCost, DoesNotOscillateInASteadyStream)
{
    double variation = 0;
    for (const auto seed : {1U, 2U, 3U, 4U, 5U}) {
        const auto score = run(make_trace(600s, [gamma = Gamma(seed)](auto) mutable {
                               return gamma(2, 8);
                           })).score;
        EXPECT_NEAR(score.mean_delay_ms, 85, 15);
        variation += score.delay_variation_ms_per_min / 5;
    }
    EXPECT_LE(variation, 15);
}

TEST(TailCost, ShrinksByOneFrameAtATime)
{
    const auto played = run(loud_between(180s, 420s, 600s)).played;
    int steps = 0;
    for (std::size_t i = 1; i < played.size(); ++i) {
        const auto step = played[i].delay - played[i - 1].delay;
        steps += step != 0ns ? 1 : 0;
        if (step < 0ns) {
            // The drift correction adds up to 100 us.
            EXPECT_GE(step, -(frame + 100us)) << "at " << milliseconds_of(played[i].media);
        }
    }
    EXPECT_GT(steps, 0);
}

TEST(TailCost, StallsOfEqualLengthAreConcealedOnlyAFewTimes)
{
    for (auto stall = 55'000us; stall < 65ms; stall += 100us) {
        auto trace = make_trace(300s, [&](nanoseconds media) {
            return media < 30s ? 0ns : std::max<nanoseconds>(0ns, stall - media % 1s);
        });
        // The next frames are lost, so playback resumes with the late one.
        std::erase_if(trace,
                      [](const auto &f) { return f.media % 1s > 0s && f.media % 1s < 60ms; });
        EXPECT_LE(run(trace).score.underruns, 6u) << stall.count() << " us";
    }
}

TEST(TailCost, LossDoesNotRaiseTheDelay)
{
    auto trace = make_trace(300s, [](auto) { return 2ms; });
    std::erase_if(trace, [](const auto &f) { return f.media / frame % 20 == 7; });
    const auto score = run(trace).score;
    EXPECT_EQ(score.max_delay_ms, 7);
    EXPECT_EQ(score.disturbance, 0);
}

TEST(TailCost, DriftCausesFewDisturbancesInPtsMode)
{
    for (const auto ppm : {-500, 500}) {
        auto gamma = Gamma();
        auto trace = make_trace(
            600s, [&](nanoseconds media) { return media * ppm / 1'000'000 + 1ms + gamma(2, 3); });
        for (auto &f : trace)
            f.reference = f.media + f.media * ppm / 1'000'000 + 1ms;
        const auto score = run(trace).score;
        const auto disturbed_frames = score.disturbance * 600s / frame;
        EXPECT_LE(disturbed_frames, 2) << ppm << " ppm";
        EXPECT_LT(score.mean_delay_ms, 45) << ppm << " ppm";
    }
}

// --- recorded arrivals: a socket on a busy machine ---

struct Recording {
    const char *name;
    double maximum_cost; // ms; a few percent above the measured cost
    // Upper bound of the cost relative to that of the best fixed delay. The delay grows by 20 ms at
    // a time, so a recording whose best delay is between two steps favours a fixed one.
    double maximum_ratio = 1.1;
};

class Recorded : public ::testing::TestWithParam<Recording> {};

TEST_P(Recorded, CostDoesNotRegress)
{
    const auto path = std::string(JKVM_RECORDED_ARRIVALS "/") + GetParam().name + ".csv.gz";
    auto trace = read_trace(path);
    ASSERT_TRUE(trace) << trace.error().detail;
    const auto adaptive = cost(run(*trace).score);
    EXPECT_LE(adaptive, GetParam().maximum_cost);
    for (const auto delay : {20ms, 40ms, 80ms, 160ms})
        EXPECT_LE(adaptive, GetParam().maximum_ratio * cost(run(*trace, fixed(delay)).score))
            << delay.count();
}

TEST_P(Recorded, SlewingCostsLessThanWholeFrames)
{
    const auto path = std::string(JKVM_RECORDED_ARRIVALS "/") + GetParam().name + ".csv.gz";
    auto trace = read_trace(path);
    ASSERT_TRUE(trace) << trace.error().detail;
    PlayoutConfig slewing;
    slewing.adapt = AdaptMode::slew;
    const auto score = run(*trace, slewing).score;
    EXPECT_LT(cost(score), cost(run(*trace).score));
    EXPECT_EQ(score.dropped_paid, 0u);
}

INSTANTIATE_TEST_SUITE_P(Arrivals, Recorded,
                         ::testing::Values(Recording{"idle", 10.5}, Recording{"cpu4", 38.5, 1.15},
                                           Recording{"mixed", 39.5}, Recording{"onoff", 38},
                                           Recording{"cgroup", 115}),
                         [](const auto &info) { return info.param.name; });

} // namespace
} // namespace jkvm::benchmark
