// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/optimizer/encoder_estimate.h"

#include <gtest/gtest.h>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

class EncoderEstimateTest : public ::testing::Test {
protected:
    /// Records frames of that bitrate for `time`.
    void play(double bitrate, nanoseconds time, nanoseconds frame = 20ms, bool is_quiet = false)
    {
        const auto bytes =
            static_cast<std::size_t>(bitrate / 8 * std::chrono::duration<double>(frame).count());
        for (nanoseconds end = 0ns; end < time; end += frame)
            estimate_.record({.bytes = bytes, .duration = frame, .is_quiet = is_quiet});
    }
    [[nodiscard]] std::uint32_t bitrate() const { return estimate_.config().bitrate; }

    EncoderEstimate estimate_;
};

TEST_F(EncoderEstimateTest, StartsWithTheDefaultConfig)
{
    EXPECT_EQ(estimate_.config(), wire::EncoderConfig());
}

TEST_F(EncoderEstimateTest, EstimatesBitrateAndFrameDuration)
{
    play(48000, 1s, 60ms); // less than a window
    EXPECT_EQ(bitrate(), 48000u);
    EXPECT_EQ(estimate_.config().stream.frame_size, 2880u);
    play(48000, 20s, 10ms);
    EXPECT_EQ(bitrate(), 48000u);
    EXPECT_EQ(estimate_.config().stream.frame_size, 480u);
    estimate_.set_format(24000, 1);
    EXPECT_EQ(estimate_.config().stream.frame_size, 240u);
    EXPECT_EQ(estimate_.config().stream.sample_rate, 24000u);
    EXPECT_EQ(estimate_.config().stream.channels, 1u);
}

TEST_F(EncoderEstimateTest, RoundsSlewedDurationsToThoseOfAPacket)
{
    play(48000, 1s, 9980us);
    EXPECT_EQ(estimate_.config().stream.frame_size, 480u);
    play(48000, 1s, 2505us);
    EXPECT_EQ(estimate_.config().stream.frame_size, 120u);
}

TEST_F(EncoderEstimateTest, KeepsTheBitrateWhileAudioNeedsLess)
{
    play(96000, 10s);
    play(60000, 30s);
    EXPECT_EQ(bitrate(), 96000u);
}

TEST_F(EncoderEstimateTest, FollowsALowerBitrateAfterAMinute)
{
    play(192000, 10s);
    play(96000, 61s);
    EXPECT_EQ(bitrate(), 96000u);
}

TEST_F(EncoderEstimateTest, IgnoresQuietFrames)
{
    play(96000, 6s);
    play(1200, 600s, 20ms, true);
    EXPECT_EQ(bitrate(), 96000u);
}

TEST_F(EncoderEstimateTest, TakesOtherSettingsFromTheNearestQuality)
{
    const std::array<std::pair<double, std::uint32_t>, 4> complexities{
        {{30000, 1}, {90000, 2}, {185000, 5}, {300000, 8}}};
    for (const auto &[bitrate, complexity] : complexities) {
        estimate_.restart();
        play(bitrate, 6s);
        EXPECT_EQ(estimate_.config().complexity, complexity) << bitrate;
        EXPECT_EQ(wire::EncoderConfig::decode(estimate_.config().encode()), estimate_.config());
    }
    estimate_.set_format(48000, 1); // a microphone's qualities have lower bitrates
    estimate_.restart();
    play(120000, 6s);
    EXPECT_EQ(estimate_.config().complexity, 5u);
}

TEST_F(EncoderEstimateTest, DetectsDtxByItsPackets)
{
    play(96000, 6s);
    EXPECT_FALSE(estimate_.config().dtx);
    estimate_.record({.bytes = 1, .duration = 20ms, .is_quiet = true});
    EXPECT_TRUE(estimate_.config().dtx);
    estimate_.restart();
    EXPECT_FALSE(estimate_.config().dtx);
}

TEST_F(EncoderEstimateTest, TellsAConstantBitrateFromAVariableOne)
{
    play(1200, 1s, 20ms, true); // silence says nothing
    EXPECT_FALSE(estimate_.has_constant_bitrate());
    play(96000, 80ms);
    EXPECT_FALSE(estimate_.has_constant_bitrate());
    EXPECT_TRUE(estimate_.config().vbr);
    play(96000, 20ms);
    EXPECT_TRUE(estimate_.has_constant_bitrate());
    EXPECT_FALSE(estimate_.config().vbr);
    play(100000, 20ms);
    play(96000, 1s);
    EXPECT_FALSE(estimate_.has_constant_bitrate());
}

TEST_F(EncoderEstimateTest, StaysWithinTheRangeOfTheMessage)
{
    play(2000000, 6s);
    EXPECT_EQ(bitrate(), 512000u);
    estimate_.restart();
    play(400, 6s);
    EXPECT_EQ(bitrate(), 500u);
}

} // namespace
} // namespace jkvm
