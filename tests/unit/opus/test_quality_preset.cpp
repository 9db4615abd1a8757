// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/opus/quality_preset.h"

#include <gtest/gtest.h>

namespace jkvm {
namespace {

using namespace std::chrono_literals;
using wire::Direction;

struct Expected {
    Quality quality;
    unsigned output_bitrate;
    unsigned microphone_bitrate;
    nanoseconds frame;
    unsigned output_channels;
    unsigned output_rate;
    unsigned microphone_rate;
    unsigned complexity;
    SignalHint signal;
    Bandwidth output_bandwidth;
    Bandwidth microphone_bandwidth;
    bool dtx;
};

constexpr auto full = Bandwidth::fullband;
const Expected table[] = {
    {Quality::low, 32000, 16000, 40ms, 1, 24000, 16000, 1, SignalHint::voice,
     Bandwidth::superwideband, Bandwidth::wideband, true},
    {Quality::medium, 96000, 64000, 20ms, 2, 48000, 48000, 2, SignalHint::automatic, full, full,
     false},
    {Quality::high, 192000, 128000, 20ms, 2, 48000, 48000, 5, SignalHint::music, full, full, false},
    {Quality::ultra, 320000, 256000, 10ms, 2, 48000, 48000, 8, SignalHint::music, full, full,
     false},
};

TEST(QualityPreset, MatchesJetKvmInBothDirections)
{
    for (const auto &row : table) {
        const auto output = quality_preset(Direction::output, row.quality);
        const auto microphone = quality_preset(Direction::microphone, row.quality);
        EXPECT_EQ(output, (EncoderSettings{.rate = row.output_rate,
                                           .channels = row.output_channels,
                                           .frame = row.frame,
                                           .bitrate = row.output_bitrate,
                                           .bitrate_type = BitrateType::constrained_vbr,
                                           .complexity = row.complexity,
                                           .audio_type = AudioType::generic,
                                           .signal = row.signal,
                                           .bandwidth = row.output_bandwidth,
                                           .dtx = row.dtx}));
        EXPECT_EQ(microphone, (EncoderSettings{.rate = row.microphone_rate,
                                               .channels = 1,
                                               .frame = row.frame,
                                               .bitrate = row.microphone_bitrate,
                                               .bitrate_type = BitrateType::constrained_vbr,
                                               .complexity = row.complexity,
                                               .audio_type = AudioType::generic,
                                               .signal = row.signal,
                                               .bandwidth = row.microphone_bandwidth,
                                               .dtx = row.dtx}));
    }
}

TEST(QualityPreset, IsACompleteRequest)
{
    const auto fields = preset_fields(Direction::microphone, Quality::low);
    EXPECT_TRUE(fields.is_complete());
    EXPECT_EQ(fields.sample_rate, 16000u);
    EXPECT_EQ(fields.frame_size, 640u); // 40 ms
    EXPECT_EQ(fields.bitrate, 16000u);
    EXPECT_EQ(fields.signal, wire::EncoderConfig::signal_voice);
    EXPECT_EQ(fields.vbr, true);
}

TEST(QualityPreset, IsFoundByItsNick)
{
    EXPECT_EQ(find_quality("low"), Quality::low);
    EXPECT_EQ(find_quality("ultra"), Quality::ultra);
    EXPECT_FALSE(find_quality("unset"));
    EXPECT_FALSE(find_quality(""));
}

TEST(QualityPreset, MediumOutputIsTheDefault)
{
    EXPECT_EQ(quality_preset(Direction::output, Quality::medium), EncoderSettings{});
}

TEST(QualityPreset, CapturesTheMaximumOfChannelsOfTheDirectionsPresets)
{
    for (const auto direction : {Direction::output, Direction::microphone}) {
        unsigned most = 0;
        for (const auto &row : table)
            most = std::max(most, quality_preset(direction, row.quality).channels);
        EXPECT_EQ(capture_channels(direction), most);
    }
}

} // namespace
} // namespace jkvm
