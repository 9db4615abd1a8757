// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests which frames of a real encoder's stream jkvmadaptivequeue takes for quiet.
#include "core/opus/quiet_detector.h"
#include "jkvmadaptivequeue/packet_level_meter.h"

#include <gtest/gtest.h>
#include <opus.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <numbers>
#include <random>
#include <vector>

namespace jkvm {
namespace {

constexpr double rate = 48000;
constexpr std::size_t frame_samples = 960;
using Samples = std::vector<float>;

double sine(double frequency, double time)
{
    return std::sin(2 * std::numbers::pi * frequency * time);
}

template <typename Function>
Samples generate(Function function, double seconds = 4)
{
    Samples samples(static_cast<std::size_t>(seconds * rate));
    for (std::size_t i = 0; i < samples.size(); ++i)
        samples[i] = static_cast<float>(function(static_cast<double>(i) / rate));
    return samples;
}

Samples tone()
{
    return generate([](double t) { return 0.3 * sine(997, t); });
}

Samples chord()
{
    return generate([](double t) {
        return 0.1 * (sine(261.63, t) + sine(329.63, t) + sine(392, t) + sine(523.25, t));
    });
}

Samples scale()
{
    double phase = 0;
    return generate([phase](double t) mutable {
        constexpr std::array semitones{0, 2, 4, 5, 7, 9, 11, 12};
        const auto note = semitones[static_cast<std::size_t>(t / 0.25) % semitones.size()];
        phase += 261.63 * std::exp2(note / 12.0) / rate;
        return 0.15 * (sine(1, phase) + 0.5 * sine(2, phase) + 0.25 * sine(3, phase));
    });
}

Samples pink_noise()
{
    std::mt19937 random(5);
    std::normal_distribution<double> noise;
    std::array<double, 3> b{};
    return generate([=](double) mutable { // Paul Kellet's filter
        const auto white = noise(random);
        b[0] = 0.99765 * b[0] + white * 0.0990460;
        b[1] = 0.96300 * b[1] + white * 0.2965164;
        b[2] = 0.57000 * b[2] + white * 1.0526913;
        return 0.05 * (b[0] + b[1] + b[2] + white * 0.1848);
    });
}

/// Organ chords with a percussive sound on each quarter.
Samples music()
{
    std::mt19937 random(7);
    std::normal_distribution<double> noise;
    return generate([=](double t) mutable {
        constexpr std::array roots{0, 5, 7, 9};
        const auto root = roots[static_cast<std::size_t>(t / 0.5) % roots.size()];
        double sum = 0;
        for (const auto interval : {0, 4, 7, 12})
            for (int harmonic = 1; harmonic <= 5; ++harmonic)
                sum += sine(130.81 * std::exp2((root + interval) / 12.0) * harmonic, t) / harmonic;
        return 0.06 * sum + 0.08 * std::exp(-60 * std::fmod(t, 0.25)) * noise(random);
    });
}

/// Voiced syllables at 5 Hz for 1.2 s, then a pause of 0.8 s with room noise at -60 dBFS.
constexpr double phrase = 1.2;
constexpr double period = 2.0;
Samples speech()
{
    std::mt19937 random(11);
    std::normal_distribution<double> noise;
    return generate(
        [=](double t) mutable {
            const auto position = std::fmod(t, period);
            double voice = 0;
            if (position < phrase)
                for (int harmonic = 1; harmonic <= 25; ++harmonic)
                    voice += sine(120.0 * harmonic, t) /
                             (1 + std::abs(harmonic - 5) + std::abs(harmonic - 15) / 3.0);
            const auto syllable = std::abs(sine(2.5, position));
            return 0.12 * syllable * voice + 0.001 * noise(random);
        },
        10);
}

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
std::vector<bool> quiet_frames(const Samples &samples, const Encoding &encoding)
{
    int error = OPUS_OK;
    const std::unique_ptr<OpusEncoder, decltype(&opus_encoder_destroy)> encoder(
        opus_encoder_create(static_cast<int>(rate), 1, encoding.application, &error),
        opus_encoder_destroy);
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
        Samples samples;
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
            const auto start = std::fmod(static_cast<double>(i) * 0.02 - 0.0065, period);
            const auto syllable = std::abs(sine(2.5, start)) > 0.3;
            const bool is_pause = start > phrase + 0.02 && start + 0.02 < period;
            const bool is_loud = start + 0.02 < phrase && syllable;
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
