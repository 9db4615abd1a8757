// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests that Playout slews the delay: contiguous output, a limited rate, no voluntary disturbance.
#include "core/playout/playout.h"
#include "playout/no_load.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

struct Arrival {
    nanoseconds media;
    nanoseconds time;
};

constexpr auto frame = 20ms;

PlayoutConfig slewing()
{
    PlayoutConfig config;
    config.adapt = AdaptMode::slew;
    return config;
}

/// Runs the engine on simulated time until all frames are played.
class SlewTest : public testing::Test {
protected:
    void run(const std::vector<Arrival> &arrivals)
    {
        std::size_t arrived = 0;
        auto now = arrivals.front().time;
        for (;;) {
            for (; arrived < arrivals.size() && arrivals[arrived].time <= now; ++arrived) {
                playout_.arrive({.media_time = arrivals[arrived].media,
                                 .duration = frame,
                                 .conceal_step = 2500us,
                                 .maximum_conceal_step = 20ms,
                                 .handle = arrived},
                                arrivals[arrived].time);
                while (playout_.drop_overflow())
                    ++overflowed_;
            }
            if (arrived == arrivals.size())
                return;
            const auto action = playout_.next(now);
            if (const auto *wait = std::get_if<Playout::Wait>(&action))
                now = std::min(wait->until, arrivals[arrived].time);
            else
                take(action);
        }
    }

    /// Frames every 20 ms, each `transit(media)` after its media time but not before another one.
    template <typename Transit>
    static std::vector<Arrival> arrivals(nanoseconds length, Transit transit)
    {
        std::vector<Arrival> arrivals;
        auto last = 0ns;
        for (auto media = 0ns; media < length; media += frame) {
            last = std::max<nanoseconds>(last, media + transit(media));
            arrivals.push_back({media, last});
        }
        return arrivals;
    }

    NoLoad load_;
    Playout playout_{slewing(), load_};
    std::vector<Playout::Play> played_;
    std::size_t overflowed_ = 0;
    double maximum_ppm_ = 0; // of the stretch of a frame, either way
    nanoseconds concealed_{0};

private:
    void take(const Playout::Action &action)
    {
        if (const auto *play = std::get_if<Playout::Play>(&action)) {
            expect_contiguous(play->output_time, play->output_duration);
            const auto stretch = play->output_duration - play->duration;
            const auto ppm =
                1e6 * static_cast<double>(stretch.count()) / static_cast<double>(frame / 1ns);
            maximum_ppm_ = std::max(maximum_ppm_, std::abs(ppm));
            if (played_.size() % 500 == 0) {
                EXPECT_NEAR(playout_.stats().stretch_ppm, ppm, 1e-9);
            }
            played_.push_back(*play);
        } else if (const auto *conceal = std::get_if<Playout::Conceal>(&action)) {
            expect_contiguous(conceal->output_time, conceal->duration);
            EXPECT_NE(conceal->reason, Playout::ConcealReason::insert);
            concealed_ += conceal->duration;
        }
    }
    void expect_contiguous(nanoseconds start, nanoseconds duration)
    {
        if (end_) {
            ASSERT_EQ(start, *end_);
        }
        end_ = start + duration;
    }

    std::optional<nanoseconds> end_;
};

TEST_F(SlewTest, GrowsBeforeAnUnderrunAndShrinksWithoutDropping)
{
    // From 30 s to 90 s every 25th frame takes 20 ms longer.
    run(arrivals(300s, [](nanoseconds media) {
        return media > 30s && media < 90s && media % 500ms == 0ns ? 25ms : 5ms;
    }));
    const auto delay_at = [&](nanoseconds media) {
        const auto &play = played_[static_cast<std::size_t>(media / frame)];
        return play.output_time - play.media_time - 5ms;
    };
    EXPECT_LT(delay_at(29s), 5ms);
    EXPECT_GE(delay_at(60s), 20ms);
    EXPECT_LT(delay_at(299s), 5ms);
    EXPECT_EQ(played_.size() + playout_.level().frames + playout_.stats().dropped.late, 15000u)
        << "frames are dropped in underruns only";
    EXPECT_EQ(playout_.stats().inserted, 0ns);
    EXPECT_LE(maximum_ppm_, 5000);
    EXPECT_GT(maximum_ppm_, 4900) << "as fast as allowed";
}

TEST_F(SlewTest, OutputIsConstantWhileTheDelayIsRight)
{
    run(arrivals(120s, [](auto) { return 5ms; }));
    for (const auto &play : played_) {
        if (play.media_time > 30s) {
            ASSERT_EQ(play.output_duration, frame) << milliseconds_of(play.media_time);
        }
    }
}

TEST_F(SlewTest, FollowsDriftOfTheSender)
{
    // The sender's clock is 800 ppm slow.
    run(arrivals(300s, [](nanoseconds media) { return 5ms + media * 8 / 10'000; }));
    EXPECT_LE(concealed_, 40ms) << "before the drift is known";
    EXPECT_NEAR(playout_.stats().stretch_ppm, 800, 1);
    EXPECT_LT(playout_.delay(), 10ms);
}

TEST_F(SlewTest, ReachesFixedDelayWithoutConcealingOrDropping)
{
    auto config = slewing();
    config.policy = PolicyKind::fixed;
    config.fixed.delay = 40ms;
    playout_.configure(config, 0ns);
    const auto all = arrivals(120s, [](auto) { return 5ms; });
    const auto third = static_cast<std::ptrdiff_t>(all.size() / 3);
    run({all.begin(), all.begin() + third});
    EXPECT_EQ(playout_.delay(), 40ms);
    config.fixed.delay = 90ms;
    playout_.configure(config, all[static_cast<std::size_t>(third)].time);
    run({all.begin() + third, all.begin() + 2 * third});
    EXPECT_NEAR(milliseconds_of(playout_.delay()), 90, 0.1);
    config.fixed.delay = 20ms;
    playout_.configure(config, all[static_cast<std::size_t>(2 * third)].time);
    run({all.begin() + 2 * third, all.end()});
    EXPECT_NEAR(milliseconds_of(playout_.delay()), 20, 0.1);
    EXPECT_EQ(concealed_, 0ns);
    EXPECT_EQ(playout_.stats().dropped.max_delay + playout_.stats().dropped.shrink, 0u);
    EXPECT_EQ(playout_.stats().adaptations, 3u) << "the start and two changes";
}

TEST_F(SlewTest, UnevenMediaTimesDoNotBreakTheOutput)
{
    std::mt19937_64 random(7);
    std::uniform_int_distribution<std::int64_t> jitter(-3'000'000, 3'000'000);
    auto uneven = arrivals(60s, [](auto) { return 5ms; });
    for (auto &arrival : uneven)
        arrival.media += nanoseconds(jitter(random));
    run(uneven);
    EXPECT_LE(maximum_ppm_, 5000);
    EXPECT_EQ(concealed_, 0ns);
}

// A change back to whole frames, and to slewing again, keeps the delay.
TEST_F(SlewTest, ModeChangesWithoutADisturbance)
{
    const auto all = arrivals(60s, [](auto) { return 5ms; });
    auto config = slewing();
    for (std::size_t i = 0; i < all.size(); i += 250) {
        config.adapt = config.adapt == AdaptMode::slew ? AdaptMode::frames : AdaptMode::slew;
        playout_.configure(config, all[i].time);
        const auto begin = all.begin() + static_cast<std::ptrdiff_t>(i);
        run({begin, begin + 250});
    }
    EXPECT_EQ(concealed_, 0ns);
    EXPECT_GE(played_.size() + 5, all.size());
}

class SlewPropertyTest : public SlewTest, public testing::WithParamInterface<unsigned> {};

// Stalls of 30 to 400 ms at random, jitter and drift: whatever is dropped or concealed belongs to
// an underrun.
TEST_P(SlewPropertyTest, DisturbsOnlyInUnderruns)
{
    std::mt19937_64 random(GetParam());
    std::exponential_distribution<double> gap(1.0 / 8);
    std::uniform_int_distribution<int> stall_ms(30, 400);
    std::gamma_distribution<double> jitter(2, 2e6);
    const double drift = std::uniform_real_distribution<double>(-1e-3, 1e-3)(random);
    auto stall_end = 0ns;
    auto next_stall = nanoseconds(20s);
    const auto all = arrivals(1200s, [&](nanoseconds media) {
        if (media >= next_stall) {
            stall_end = media + std::chrono::milliseconds(stall_ms(random));
            next_stall = stall_end + nanoseconds(static_cast<std::int64_t>(1e9 * gap(random)));
        }
        const auto drifted =
            nanoseconds(static_cast<std::int64_t>(drift * static_cast<double>(media.count())));
        const auto jittered = nanoseconds(static_cast<std::int64_t>(jitter(random)));
        return drifted + std::max(jittered, stall_end - media) + 2ms;
    });
    run(all);
    const auto stats = playout_.stats();
    EXPECT_EQ(stats.inserted, 0ns);
    EXPECT_EQ(stats.dropped.shrink + stats.dropped.shrink_quiet + stats.dropped.max_delay, 0u);
    EXPECT_EQ(overflowed_, 0u);
    EXPECT_LE(maximum_ppm_, 5000);
    EXPECT_GT(stats.underruns, 0u);
    EXPECT_EQ(played_.size() + stats.dropped.late + stats.queued_frames, all.size());
}

INSTANTIATE_TEST_SUITE_P(Seeds, SlewPropertyTest, testing::Range(1U, 5U));

} // namespace
} // namespace jkvm
