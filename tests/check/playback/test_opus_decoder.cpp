// SPDX-License-Identifier: LGPL-2.1-or-later
#include "codec/opus_decoder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numbers>
#include <vector>

namespace jkvm {
namespace {

constexpr std::size_t frame = 960;
using Packet = std::vector<std::byte>;

struct EncoderOptions {
    int application = OPUS_APPLICATION_AUDIO;
    int bitrate = 64000;
    int bandwidth = OPUS_BANDWIDTH_FULLBAND;
    bool fec = false;
    int channels = 1;
};

/// Packets of 20 ms of a 440 Hz tone at half of full scale.
std::vector<Packet> encode_tone(int count, const EncoderOptions &options)
{
    std::unique_ptr<OpusEncoder, decltype(&opus_encoder_destroy)> encoder(
        opus_encoder_create(48000, options.channels, options.application, nullptr),
        &opus_encoder_destroy);
    opus_encoder_ctl(encoder.get(), OPUS_SET_BITRATE(options.bitrate));
    opus_encoder_ctl(encoder.get(), OPUS_SET_BANDWIDTH(options.bandwidth));
    opus_encoder_ctl(encoder.get(), OPUS_SET_INBAND_FEC(options.fec ? 1 : 0));
    opus_encoder_ctl(encoder.get(), OPUS_SET_PACKET_LOSS_PERC(options.fec ? 30 : 0));
    std::vector<Packet> packets;
    std::vector<float> samples(frame * static_cast<std::size_t>(options.channels));
    for (int i = 0; i < count; ++i) {
        for (std::size_t s = 0; s < samples.size(); ++s) {
            const auto position = static_cast<std::size_t>(i) * frame +
                                  s / static_cast<std::size_t>(options.channels);
            const auto phase = 2 * std::numbers::pi * 440 / 48000 * static_cast<double>(position);
            samples[s] = static_cast<float>(0.5 * std::sin(phase));
        }
        Packet packet(1500);
        const int size = opus_encode_float(encoder.get(), samples.data(), frame,
                                           reinterpret_cast<unsigned char *>(packet.data()),
                                           static_cast<opus_int32>(packet.size()));
        packet.resize(static_cast<std::size_t>(size));
        packets.push_back(packet);
    }
    return packets;
}

constexpr EncoderOptions voice_with_fec{.application = OPUS_APPLICATION_VOIP,
                                        .bitrate = 24000,
                                        .bandwidth = OPUS_BANDWIDTH_WIDEBAND,
                                        .fec = true};

double rms(std::span<const float> samples)
{
    double sum = 0;
    for (const float sample : samples)
        sum += sample * sample;
    return std::sqrt(sum / static_cast<double>(samples.size()));
}

class OpusDecoding : public ::testing::Test {
protected:
    static OpusFrameDecoder make(unsigned channels = 1)
    {
        return std::move(*OpusFrameDecoder::create(channels));
    }

    /// Decodes the first `count` packets.
    static void decode(OpusFrameDecoder &decoder, const std::vector<Packet> &packets, int count)
    {
        for (int i = 0; i < count; ++i)
            (void)decoder.decode(packets[static_cast<std::size_t>(i)]);
    }
};

TEST_F(OpusDecoding, ReturnsThePacketsSamples)
{
    for (const int channels : {1, 2}) {
        const auto packets = encode_tone(10, {.channels = channels});
        auto decoder = make(static_cast<unsigned>(channels));
        decode(decoder, packets, 9);
        const auto samples = decoder.decode(packets[9]);
        EXPECT_EQ(samples.size(), frame * static_cast<std::size_t>(channels));
        EXPECT_NEAR(rms(samples), 0.5 / std::numbers::sqrt2, 0.02);
        EXPECT_EQ(decoder.counters().concealed, 0u);
    }
}

TEST_F(OpusDecoding, ContinuesTheToneThroughALoss)
{
    const auto packets = encode_tone(10, {});
    auto decoder = make();
    decode(decoder, packets, 9);
    const auto samples = decoder.conceal(frame);
    EXPECT_EQ(samples.size(), frame);
    EXPECT_GT(rms(samples), 0.2);
    EXPECT_EQ(decoder.counters().concealed, frame);
}

TEST_F(OpusDecoding, FadesConcealedAudioOutBetween60And100Ms)
{
    const auto packets = encode_tone(10, {});
    auto decoder = make();
    decode(decoder, packets, 9);
    std::vector<double> levels(10);
    for (auto &level : levels)
        level = rms(decoder.conceal(frame));
    EXPECT_GT(levels[0], 0.2);
    EXPECT_GT(levels[3], 0);
    EXPECT_LT(levels[4], levels[2] / 2);
    for (std::size_t i = 5; i < levels.size(); ++i)
        EXPECT_EQ(levels[i], 0) << i;
    EXPECT_EQ(decoder.counters().concealed, 10 * frame);
}

TEST_F(OpusDecoding, FadesWithoutAStepWithinOneCall)
{
    const auto packets = encode_tone(10, {});
    auto decoder = make();
    decode(decoder, packets, 9);
    const auto samples = decoder.conceal(OpusFrameDecoder::max_samples);
    float step = 0;
    for (std::size_t i = 1; i < samples.size(); ++i)
        step = std::max(step, std::abs(samples[i] - samples[i - 1]));
    EXPECT_LT(step, 0.1);
    EXPECT_EQ(samples[4800], 0);
    EXPECT_NE(samples[4700], 0);
}

TEST_F(OpusDecoding, StartsOverAfterALongLoss)
{
    const auto packets = encode_tone(30, {});
    auto decoder = make();
    decode(decoder, packets, 9);
    for (int i = 9; i < 20; ++i)
        (void)decoder.conceal(frame);
    auto fresh = make();
    for (std::size_t i = 20; i < 30; ++i) {
        const auto samples = decoder.decode(packets[i]);
        const auto expected = fresh.decode(packets[i]);
        ASSERT_TRUE(std::equal(samples.begin(), samples.end(), expected.begin())) << i;
    }
    // The next loss is concealed again.
    EXPECT_GT(rms(decoder.conceal(frame)), 0.2);
}

TEST_F(OpusDecoding, ConcealsADurationThatIsNoMultipleOf2500Us)
{
    auto decoder = make();
    decode(decoder, encode_tone(9, {}), 9);
    EXPECT_EQ(decoder.conceal(100).size(), 100u);
    EXPECT_EQ(decoder.conceal(OpusFrameDecoder::max_samples - 1).size(),
              OpusFrameDecoder::max_samples - 1);
}

TEST_F(OpusDecoding, RecoversTheLastLostFrameFromInBandFec)
{
    const auto packets = encode_tone(30, voice_with_fec);
    ASSERT_TRUE(has_in_band_fec(packets[20]));
    auto reference = make();
    decode(reference, packets, 19);
    const auto expected = rms(reference.decode(packets[19]));
    auto decoder = make();
    decode(decoder, packets, 18);
    // Two frames are lost: one is concealed, one recovered.
    const auto samples = decoder.conceal(2 * frame, packets[20]);
    ASSERT_EQ(samples.size(), 2 * frame);
    EXPECT_GT(rms(samples.subspan(frame)), expected / 2);
    EXPECT_EQ(decoder.counters().concealed, frame);
    EXPECT_EQ(decoder.counters().fec_recovered, frame);
    EXPECT_EQ(decoder.decode(packets[20]).size(), frame);
}

TEST_F(OpusDecoding, RecoversAudioThatPlcCannotKnow)
{
    // Silence, then a tone whose first packet is lost.
    auto packets = encode_tone(30, voice_with_fec);
    auto decoder = make();
    const auto samples = decoder.conceal(frame, packets[20]);
    EXPECT_GT(rms(samples), 0.02); // a new decoder fades in, in libopus 1.5 more slowly
    auto without = make();
    EXPECT_LT(rms(without.conceal(frame)), 0.01);
}

TEST_F(OpusDecoding, ConcealsIfTheNextPacketHasNoFec)
{
    const auto packets = encode_tone(30, {});
    EXPECT_FALSE(has_in_band_fec(packets[20]));
    auto decoder = make();
    decode(decoder, packets, 19);
    EXPECT_EQ(decoder.conceal(frame, packets[20]).size(), frame);
    EXPECT_EQ(decoder.counters().fec_recovered, 0u);
    EXPECT_EQ(decoder.counters().concealed, frame);
}

TEST_F(OpusDecoding, FindsNoFecInGarbage)
{
    EXPECT_FALSE(has_in_band_fec({}));
    EXPECT_FALSE(has_in_band_fec(Packet{std::byte{0x08}}));
    EXPECT_FALSE(has_in_band_fec(Packet{std::byte{0xFF}, std::byte{0xFF}}));
}

TEST_F(OpusDecoding, ConcealsInvalidPackets)
{
    const auto packets = encode_tone(10, {});
    auto decoder = make();
    decode(decoder, packets, 9);
    EXPECT_EQ(decoder.decode({}).size(), frame);
    const Packet cut{std::byte{0xFF}, std::byte{0xFF}, std::byte{1}};
    EXPECT_EQ(decoder.decode(cut).size(), frame);
    EXPECT_EQ(decoder.counters().invalid, 2u);
    EXPECT_EQ(decoder.counters().concealed, 2 * frame);
}

TEST_F(OpusDecoding, ForgetsTheStreamOnReset)
{
    const auto packets = encode_tone(10, {});
    auto decoder = make();
    decode(decoder, packets, 9);
    decoder.reset();
    EXPECT_LT(rms(decoder.conceal(frame)), 0.01);
}

} // namespace
} // namespace jkvm
