// SPDX-License-Identifier: LGPL-2.1-or-later
// The control loop as a whole, on simulated devices.
#include "playback/playback_simulation.h"

#include <gtest/gtest.h>

#include <cmath>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

struct Case {
    double ppm;
    std::uint64_t step; // frames
};

class PlaybackLoop : public ::testing::TestWithParam<Case> {};

TEST_P(PlaybackLoop, LocksAndHoldsPlayoutTime)
{
    const auto [ppm, step] = GetParam();
    PlaybackSimulation simulation({.ppm = ppm, .step = step, .stall = 19ms, .stall_every = 10min});
    simulation.run(10s);
    simulation.reset_figures();
    simulation.run(20s);
    EXPECT_LE(simulation.figures().span(), 500us);
    simulation.reset_figures();
    simulation.run(15min);
    const auto &figures = simulation.figures();
    RecordProperty("span_us", std::to_string(figures.span() / 1us));
    RecordProperty("ratio_noise_ppm", std::to_string(figures.ratio_noise()));
    RecordProperty("locked_after_ms", std::to_string(simulation.locked_after() / 1ms));
    EXPECT_LE(figures.span(), 500us);
    EXPECT_LE(figures.ratio_noise(), 3.0);
    EXPECT_LE(simulation.locked_after(), 2100ms);
    EXPECT_EQ(figures.jumps, 0u);
    EXPECT_EQ(figures.underruns, 0u);
}

INSTANTIATE_TEST_SUITE_P(Devices, PlaybackLoop,
                         ::testing::Values(Case{1000, 1}, Case{-1000, 1}, Case{500, 1},
                                           Case{-500, 1}, Case{1000, 48}, Case{-1000, 48},
                                           Case{500, 48}, Case{-500, 48}, Case{1000, 240},
                                           Case{-1000, 240}, Case{1000, 480}, Case{-1000, 480},
                                           Case{500, 960}, Case{-500, 960}, Case{1000, 960},
                                           Case{-1000, 960}),
                         [](const auto &info) {
                             return std::string(info.param.ppm < 0 ? "Minus" : "Plus") +
                                    std::to_string(static_cast<int>(std::abs(info.param.ppm))) +
                                    "StepOf" + std::to_string(info.param.step);
                         });

TEST(PlaybackLoopDay, HasNoJump)
{
    // Few observations, so that a day takes seconds.
    PlaybackSimulation simulation(
        {.ppm = 1000, .step = 48, .stall = 19ms, .stall_every = 10min, .pause = 95ms});
    simulation.run(10s);
    simulation.reset_figures();
    simulation.run(24h);
    EXPECT_EQ(simulation.figures().jumps, 0u);
    EXPECT_EQ(simulation.figures().underruns, 0u);
    EXPECT_LE(simulation.figures().span(), 500us);
}

TEST(PlaybackLoopRestart, KeepsKnownRate)
{
    PlaybackSimulation simulation({.ppm = 700, .step = 48});
    simulation.run(1min);
    simulation.reset_figures();
    for (int i = 0; i < 10; ++i) {
        simulation.restart_device();
        simulation.run(1min);
    }
    RecordProperty("ratio_noise_ppm", std::to_string(simulation.figures().ratio_noise()));
    EXPECT_LE(simulation.figures().ratio_noise(), 13);
    EXPECT_LE(simulation.figures().span(), 500us);
    EXPECT_EQ(simulation.figures().jumps, 0u);
}

} // namespace
} // namespace jkvm
