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

/// What is heard of the loop from `lag` on.
std::vector<float> play(const std::vector<float> &loop, std::size_t lag, std::size_t samples)
{
    std::vector<float> heard(samples);
    for (std::size_t i = 0; i < samples; ++i)
        heard[i] = loop[(lag + i) % loop.size()];
    return heard;
}

const auto sound = noise(5000, 1);

TEST(Correlation, FindsWhereARecordingBegins)
{
    for (const std::size_t lag : {0u, 1u, 1234u, 4000u}) {
        const auto match = find_in_loop(play(sound, lag, 1000), sound);
        EXPECT_NEAR(match.correlation, 1, 1e-6);
        EXPECT_EQ(match.lag, lag);
    }
}

TEST(Correlation, FollowsTheLoopOverItsEnd)
{
    const auto match = find_in_loop(play(sound, 4900, 1000), sound);
    EXPECT_NEAR(match.correlation, 1, 1e-6);
    EXPECT_EQ(match.lag, 4900u);
}

TEST(Correlation, TakesARecordingOfSeveralRounds)
{
    const auto match = find_in_loop(play(sound, 300, 12345), sound);
    EXPECT_NEAR(match.correlation, 1, 1e-6);
    EXPECT_EQ(match.lag, 300u);
}

TEST(Correlation, DoesNotDependOnTheLevel)
{
    auto quiet = play(sound, 77, 1000);
    for (float &sample : quiet)
        sample *= 0.01F;
    const auto match = find_in_loop(quiet, sound);
    EXPECT_NEAR(match.correlation, 1, 1e-6);
    EXPECT_EQ(match.lag, 77u);
}

TEST(Correlation, FallsWithTheNoise)
{
    auto mixed = play(sound, 77, 4000);
    const auto other = noise(4000, 2);
    std::transform(mixed.begin(), mixed.end(), other.begin(), mixed.begin(), std::plus<>());
    const auto match = find_in_loop(mixed, sound);
    EXPECT_NEAR(match.correlation, 0.707, 0.03); // sqrt(1/2) of equally loud sounds
    EXPECT_EQ(match.lag, 77u);
}

TEST(Correlation, FallsWithWhatIsMissing)
{
    auto cut = play(sound, 77, 4000);
    std::fill_n(cut.begin() + 1000, 1000, 0.0F);
    EXPECT_NEAR(find_in_loop(cut, sound).correlation, 0.866, 0.03); // sqrt(3/4)
}

TEST(Correlation, IsLowForOtherSounds)
{
    const auto recording = play(sound, 77, 4000);
    EXPECT_LT(find_in_loop(noise(4000, 2), sound).correlation, 0.1);
    const std::vector<float> reversed(recording.rbegin(), recording.rend());
    EXPECT_LT(find_in_loop(reversed, sound).correlation, 0.1);
}

TEST(Correlation, IsLowForAnInvertedSound)
{
    auto inverted = play(sound, 77, 4000);
    for (float &sample : inverted)
        sample = -sample;
    EXPECT_LT(find_in_loop(inverted, sound).correlation, 0.1);
}

TEST(Correlation, IsZeroWhereThereIsNothing)
{
    const std::vector<float> silence(1000);
    EXPECT_EQ(find_in_loop(silence, sound).correlation, 0);
    EXPECT_EQ(find_in_loop(sound, silence).correlation, 0);
    EXPECT_EQ(find_in_loop({}, sound).correlation, 0);
    EXPECT_EQ(find_in_loop(sound, {}).correlation, 0);
}

} // namespace
} // namespace jkvm::testing
