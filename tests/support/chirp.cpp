// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/chirp.h"

#include <array>
#include <cmath>
#include <fstream>
#include <numbers>
#include <random>
#include <stdexcept>

namespace jkvm::testing {

namespace {

constexpr std::size_t sweep_samples = chirp_rate / 1000;
constexpr auto sweeps = static_cast<std::size_t>(chirp_length.count()) / sweep_samples;
constexpr double lowest = 500; // Hz
constexpr double highest = 5500;
constexpr double amplitude = 16384;

/// Returns the frequency at the start of each sweep in cycles per sample. The sum of all samples'
/// frequencies is an integer, so that the phase is continuous where the signal repeats.
std::vector<double> make_frequencies()
{
    std::mt19937 random(1); // the same values with every standard library
    std::vector<double> frequencies(sweeps);
    double cycles = 0;
    for (auto &frequency : frequencies) {
        const double share = static_cast<double>(random()) / 4294967296.0;
        frequency = (lowest + share * (highest - lowest)) / chirp_rate;
        cycles += frequency * sweep_samples;
    }
    const double excess = cycles - std::floor(cycles);
    for (auto &frequency : frequencies)
        frequency -= excess / static_cast<double>(sweeps * sweep_samples);
    return frequencies;
}

void put_little_endian(std::ostream &stream, std::uint32_t value, int bytes)
{
    for (int i = 0; i < bytes; ++i)
        stream.put(static_cast<char>(value >> (8 * i)));
}

} // namespace

std::vector<std::int16_t> make_chirp()
{
    const auto frequencies = make_frequencies();
    std::vector<std::int16_t> samples;
    samples.reserve(sweeps * sweep_samples);
    double cycles = 0;
    for (std::size_t sweep = 0; sweep < sweeps; ++sweep) {
        const double begin = frequencies[sweep];
        const double end = frequencies[(sweep + 1) % sweeps];
        for (std::size_t i = 0; i < sweep_samples; ++i) {
            samples.push_back(static_cast<std::int16_t>(
                std::lrint(amplitude * std::sin(2 * std::numbers::pi * cycles))));
            // The mean frequency of the sample; the means of a sweep add up to that of its ends.
            cycles += begin + (end - begin) * (static_cast<double>(i) + 0.5) / sweep_samples;
        }
        cycles -= std::floor(cycles);
    }
    return samples;
}

void write_chirp(const std::string &path, unsigned channels)
{
    const auto samples = make_chirp();
    const auto bytes = static_cast<std::uint32_t>(samples.size() * channels * 2);
    std::ofstream file(path, std::ios::binary);
    file << "RIFF";
    put_little_endian(file, bytes + 36, 4);
    file << "WAVEfmt ";
    put_little_endian(file, 16, 4);
    put_little_endian(file, 1, 2); // PCM
    put_little_endian(file, channels, 2);
    put_little_endian(file, chirp_rate, 4);
    put_little_endian(file, chirp_rate * channels * 2, 4);
    put_little_endian(file, channels * 2, 2);
    put_little_endian(file, 16, 2);
    file << "data";
    put_little_endian(file, bytes, 4);
    for (const auto sample : samples) {
        for (unsigned channel = 0; channel < channels; ++channel)
            put_little_endian(file, static_cast<std::uint16_t>(sample), 2);
    }
    file.close();
    if (!file)
        throw std::runtime_error("cannot write " + path);
}

} // namespace jkvm::testing
