// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/correlation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace jkvm::testing {
namespace {

std::vector<float> noise(std::size_t samples, unsigned seed)
{
    std::mt19937 generator(seed);
    std::uniform_real_distribution<float> distribution(-1, 1);
    std::vector<float> values(samples);
    std::generate(values.begin(), values.end(), [&] { return distribution(generator); });
    return values;
}

/// Returns `samples` samples of the repeated loop, starting at `lag`.
std::vector<float> play(const std::vector<float> &loop, std::size_t lag, std::size_t samples)
{
    std::vector<float> played(samples);
    for (std::size_t i = 0; i < samples; ++i)
        played[i] = loop[(lag + i) % loop.size()];
    return played;
}

const auto signal = noise(5000, 1);

TEST(Correlation, FindsWhereARecordingBegins)
{
    for (const std::size_t lag : {0u, 1u, 1234u, 4000u}) {
        const auto match = find_in_loop(play(signal, lag, 1000), signal);
        EXPECT_NEAR(match.correlation, 1, 1e-6);
        EXPECT_EQ(match.lag, lag);
    }
}

TEST(Correlation, FollowsTheLoopPastItsEnd)
{
    const auto match = find_in_loop(play(signal, 4900, 1000), signal);
    EXPECT_NEAR(match.correlation, 1, 1e-6);
    EXPECT_EQ(match.lag, 4900u);
}

TEST(Correlation, AcceptsRecordingLongerThanTheLoop)
{
    const auto match = find_in_loop(play(signal, 300, 12345), signal);
    EXPECT_NEAR(match.correlation, 1, 1e-6);
    EXPECT_EQ(match.lag, 300u);
}

TEST(Correlation, IsIndependentOfTheLevel)
{
    auto quiet = play(signal, 77, 1000);
    for (float &sample : quiet)
        sample *= 0.01F;
    const auto match = find_in_loop(quiet, signal);
    EXPECT_NEAR(match.correlation, 1, 1e-6);
    EXPECT_EQ(match.lag, 77u);
}

TEST(Correlation, DecreasesWithNoise)
{
    auto mixed = play(signal, 77, 4000);
    const auto other = noise(4000, 2);
    std::transform(mixed.begin(), mixed.end(), other.begin(), mixed.begin(), std::plus<>());
    const auto match = find_in_loop(mixed, signal);
    EXPECT_NEAR(match.correlation, 0.707, 0.03); // sqrt(1/2) of two signals of equal power
    EXPECT_EQ(match.lag, 77u);
}

TEST(Correlation, DecreasesWithMissingSamples)
{
    auto cut = play(signal, 77, 4000);
    std::fill_n(cut.begin() + 1000, 1000, 0.0F);
    EXPECT_NEAR(find_in_loop(cut, signal).correlation, 0.866, 0.03); // sqrt(3/4)
}

TEST(Correlation, IsLowForOtherSignals)
{
    const auto recording = play(signal, 77, 4000);
    EXPECT_LT(find_in_loop(noise(4000, 2), signal).correlation, 0.1);
    const std::vector<float> reversed(recording.rbegin(), recording.rend());
    EXPECT_LT(find_in_loop(reversed, signal).correlation, 0.1);
}

TEST(Correlation, IsLowForAnInvertedSignal)
{
    auto inverted = play(signal, 77, 4000);
    for (float &sample : inverted)
        sample = -sample;
    EXPECT_LT(find_in_loop(inverted, signal).correlation, 0.1);
}

TEST(Correlation, IsZeroForSilenceAndEmptyInput)
{
    const std::vector<float> silence(1000);
    EXPECT_EQ(find_in_loop(silence, signal).correlation, 0);
    EXPECT_EQ(find_in_loop(signal, silence).correlation, 0);
    EXPECT_EQ(find_in_loop({}, signal).correlation, 0);
    EXPECT_EQ(find_in_loop(signal, {}).correlation, 0);
}

} // namespace
} // namespace jkvm::testing
