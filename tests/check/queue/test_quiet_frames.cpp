// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests which frames of a real encoder's stream jkvmadaptivequeue takes for quiet.
#include "core/opus/quiet_detector.h"
#include "jkvmadaptivequeue/packet_level_meter.h"
#include "support/synthetic_audio.h"

#include <gtest/gtest.h>
#include <opus.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <numbers>
#include <vector>

namespace jkvm {
namespace {

using testing::chord;
using testing::music;
using testing::pink_noise;
using testing::scale;
using testing::speech;
using testing::tone;

constexpr std::size_t frame_samples = 960;

struct Encoding {
    const char *name;
    int application;
    opus_int32 bitrate;
    bool is_vbr;
};
constexpr std::array encodings{
    Encoding{"CELT, VBR", OPUS_APPLICATION_AUDIO, 96000, true},
    Encoding{"CELT, CBR", OPUS_APPLICATION_RESTRICTED_LOWDELAY, 64000, false},
    Encoding{"SILK", OPUS_APPLICATION_VOIP, 16000, true},
    Encoding{"hybrid", OPUS_APPLICATION_VOIP, 28000, true},
};

/// Whether each frame is quiet, without those of the warm-up.
std::vector<bool> quiet_frames(const std::vector<float> &samples, const Encoding &encoding)
{
    int error = OPUS_OK;
    const std::unique_ptr<OpusEncoder, decltype(&opus_encoder_destroy)> encoder(
        opus_encoder_create(48000, 1, encoding.application, &error), opus_encoder_destroy);
    opus_encoder_ctl(encoder.get(), OPUS_SET_BITRATE(encoding.bitrate));
    opus_encoder_ctl(encoder.get(), OPUS_SET_VBR(encoding.is_vbr ? 1 : 0));
    PacketLevelMeter meter;
    QuietDetector detector;
    std::vector<bool> result;
    std::array<unsigned char, 1500> packet{};
    for (std::size_t i = 0; i + frame_samples <= samples.size(); i += frame_samples) {
        const auto size = opus_encode_float(encoder.get(), &samples[i], frame_samples,
                                            packet.data(), packet.size());
        EXPECT_GT(size, 0);
        const auto level =
            meter.measure(std::as_bytes(std::span(packet)).first(static_cast<std::size_t>(size)));
        EXPECT_EQ(level.has_value(), i / frame_samples >= PacketLevelMeter::warm_up);
        result.push_back(level && detector.record(*level, std::chrono::milliseconds(20)));
    }
    return result;
}

TEST(QuietFrames, NoneIsInAudioOfConstantLevel)
{
    const struct {
        const char *name;
        std::vector<float> samples;
    } signals[] = {{"tone", tone()},
                   {"chord", chord()},
                   {"scale", scale()},
                   {"pink noise", pink_noise()},
                   {"music", music()}};
    for (const auto &encoding : encodings)
        for (const auto &signal : signals)
            EXPECT_EQ(std::ranges::count(quiet_frames(signal.samples, encoding), true), 0)
                << signal.name << ", " << encoding.name;
}

TEST(QuietFrames, MostAreInThePausesOfSpeech)
{
    for (const auto &encoding : encodings) {
        const auto quiet = quiet_frames(speech(), encoding);
        std::size_t pauses = 0;
        std::size_t quiet_pauses = 0;
        std::size_t loud = 0;
        std::size_t quiet_loud = 0;
        for (std::size_t i = PacketLevelMeter::warm_up + 1; i < quiet.size(); ++i) {
            // The decoded frame lags by up to 6.5 ms, and syllables fade in and out.
            const auto start =
                std::fmod(static_cast<double>(i) * 0.02 - 0.0065, testing::speech_period);
            const auto syllable = std::abs(std::sin(5 * std::numbers::pi * start)) > 0.3;
            const bool is_pause =
                start > testing::speech_phrase + 0.02 && start + 0.02 < testing::speech_period;
            const bool is_loud = start + 0.02 < testing::speech_phrase && syllable;
            pauses += is_pause ? 1 : 0;
            quiet_pauses += is_pause && quiet[i] ? 1 : 0;
            loud += is_loud ? 1 : 0;
            quiet_loud += is_loud && quiet[i] ? 1 : 0;
        }
        EXPECT_GT(quiet_pauses, pauses * 8 / 10) << encoding.name;
        EXPECT_EQ(quiet_loud, 0u) << encoding.name << ", of " << loud;
    }
}

} // namespace
} // namespace jkvm
