// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/device/gain.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace jkvm {
namespace {

using Samples = std::vector<std::int16_t>;

constexpr unsigned stereo = 2;
const Samples loud(std::size_t{2} * 480, 10000); // 10 ms

Samples turned(Gain &gain)
{
    Samples out(loud.size());
    gain.apply(loud, stereo, out);
    return out;
}

TEST(Gain, ChangeIsSpreadOverOneFrame)
{
    Gain gain;
    EXPECT_TRUE(gain.is_unity());
    gain.set(0);
    EXPECT_FALSE(gain.is_unity());
    const auto ramp = turned(gain);
    EXPECT_GT(ramp.front(), 9900);
    EXPECT_EQ(ramp.back(), 0);
    for (std::size_t i = 2; i < ramp.size(); ++i)
        EXPECT_LE(std::abs(ramp[i] - ramp[i - 2]), 10000 / 480 + 1);
    EXPECT_EQ(turned(gain), Samples(loud.size(), 0));
}

TEST(Gain, ClipsAtFullScale)
{
    Gain gain;
    gain.set(10);
    turned(gain);
    EXPECT_EQ(turned(gain), Samples(loud.size(), 32767));
    Samples low(2, -20000);
    gain.apply(low, stereo, low);
    EXPECT_EQ(low, Samples(2, -32768));
}

TEST(Gain, SilenceFinishesAChange)
{
    Gain gain;
    gain.set(0);
    gain.finish_change();
    EXPECT_EQ(turned(gain), Samples(loud.size(), 0));
    gain.set(1);
    gain.finish_change();
    EXPECT_TRUE(gain.is_unity());
}

TEST(Levels, AreMeasuredForEachChannel)
{
    Samples samples;
    for (int i = 0; i < 480; ++i) {
        samples.push_back(
            static_cast<std::int16_t>(std::lrint(16384 * std::sin(2 * 3.14159265358979 * i / 48))));
        samples.push_back(i % 2 == 0 ? -32768 : 0);
    }
    const auto levels = measure_levels(samples, stereo);
    EXPECT_NEAR(levels[0].peak, 0.5, 0.001);
    EXPECT_NEAR(levels[0].rms, 0.5 / std::sqrt(2), 0.001);
    EXPECT_EQ(levels[1].peak, 1);
    EXPECT_NEAR(levels[1].rms, 1 / std::sqrt(2), 0.001);
    const auto mono = measure_levels(loud, 1);
    EXPECT_NEAR(mono[0].rms, 10000.0 / 32768, 1e-6);
    EXPECT_EQ(mono[1].peak, 0);
}

} // namespace
} // namespace jkvm
