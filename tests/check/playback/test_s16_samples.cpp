// SPDX-License-Identifier: LGPL-2.1-or-later
#include "alsa/s16_samples.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace jkvm {
namespace {

using Store = void (*)(std::span<const float>, std::byte *);

class S16Samples : public ::testing::TestWithParam<Store> {
protected:
    static std::vector<int> store(std::span<const float> samples)
    {
        std::vector<std::byte> bytes(2 * samples.size() + 1, std::byte{0x55});
        GetParam()(samples, bytes.data());
        EXPECT_EQ(bytes.back(), std::byte{0x55}) << "written behind the end";
        std::vector<int> values;
        values.reserve(samples.size());
        for (std::size_t i = 0; i < samples.size(); ++i) {
            const int low = std::to_integer<int>(bytes[2 * i]);
            const int high = std::to_integer<int>(bytes[2 * i + 1]);
            values.push_back(low + 256 * (high < 128 ? high : high - 256));
        }
        return values;
    }
};

TEST_P(S16Samples, AreRoundedToNearestAndTiesToEven)
{
    // Quarters of a step over the whole range: exact values, both sides of each tie, and ties.
    std::vector<float> samples;
    samples.reserve(std::size_t{8} * 32768);
    for (int quarter = -4 * 32768; quarter < 4 * 32767; ++quarter)
        samples.push_back(static_cast<float>(quarter) / (4 * 32768));
    const auto stored = store(samples);
    for (std::size_t i = 0; i < samples.size(); ++i)
        ASSERT_EQ(stored[i], std::nearbyint(samples[i] * 32768.0)) << samples[i];
}

TEST_P(S16Samples, AreClippedToFullScale)
{
    constexpr float infinity = std::numeric_limits<float>::infinity();
    // Every value at each position of a block.
    for (const float high : {1.0F, 32767.5F / 32768, 1.5F, 65536.0F, 1e30F, infinity}) {
        EXPECT_EQ(store(std::vector<float>(17, high)), std::vector<int>(17, 32767)) << high;
        EXPECT_EQ(store(std::vector<float>(17, -std::max(high, 1.0F))),
                  std::vector<int>(17, -32768))
            << high;
    }
}

TEST_P(S16Samples, AreTheMaximumForNan)
{
    const std::vector<float> samples(23, std::numeric_limits<float>::quiet_NaN());
    EXPECT_EQ(store(samples), std::vector<int>(23, 32767));
}

TEST_P(S16Samples, OfAnyNumberAreStored)
{
    std::vector<float> samples;
    std::vector<int> expected;
    for (int i = 0; i < 70; ++i) {
        EXPECT_EQ(store(samples), expected);
        samples.push_back(static_cast<float>(100 * i - 3500) / 32768);
        expected.push_back(100 * i - 3500);
    }
}

INSTANTIATE_TEST_SUITE_P(Paths, S16Samples, ::testing::Values(&store_s16, &store_s16_portable),
                         [](const auto &path) {
                             return path.param == &store_s16 ? "Default" : "Portable";
                         });

} // namespace
} // namespace jkvm
