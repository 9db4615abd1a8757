// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/synthetic_audio.h"

#include <array>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <random>

namespace jkvm::testing {
namespace {

constexpr double rate = 48000;

double sine(double frequency, double time)
{
    return std::sin(2 * std::numbers::pi * frequency * time);
}

template <typename Function>
std::vector<float> generate(Function function, double seconds = 4)
{
    std::vector<float> samples(static_cast<std::size_t>(seconds * rate));
    for (std::size_t i = 0; i < samples.size(); ++i)
        samples[i] = static_cast<float>(function(static_cast<double>(i) / rate));
    return samples;
}

} // namespace

std::vector<float> tone()
{
    return generate([](double t) { return 0.3 * sine(997, t); });
}

std::vector<float> chord()
{
    return generate([](double t) {
        return 0.1 * (sine(261.63, t) + sine(329.63, t) + sine(392, t) + sine(523.25, t));
    });
}

std::vector<float> scale()
{
    double phase = 0;
    return generate([phase](double t) mutable {
        constexpr std::array semitones{0, 2, 4, 5, 7, 9, 11, 12};
        const auto note = semitones[static_cast<std::size_t>(t / 0.25) % semitones.size()];
        phase += 261.63 * std::exp2(note / 12.0) / rate;
        return 0.15 * (sine(1, phase) + 0.5 * sine(2, phase) + 0.25 * sine(3, phase));
    });
}

std::vector<float> pink_noise()
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

std::vector<float> music()
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

std::vector<float> speech()
{
    std::mt19937 random(11);
    std::normal_distribution<double> noise;
    return generate(
        [=](double t) mutable {
            const auto position = std::fmod(t, speech_period);
            double voice = 0;
            if (position < speech_phrase)
                for (int harmonic = 1; harmonic <= 25; ++harmonic)
                    voice += sine(120.0 * harmonic, t) /
                             (1 + std::abs(harmonic - 5) + std::abs(harmonic - 15) / 3.0);
            const auto syllable = std::abs(sine(2.5, position));
            return 0.12 * syllable * voice + 0.001 * noise(random);
        },
        10);
}

} // namespace jkvm::testing
