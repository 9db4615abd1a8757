// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/device/gain.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace jkvm {

void Gain::apply(std::span<const std::int16_t> in, unsigned channels, std::span<std::int16_t> out)
{
    const auto count = in.size() / channels;
    const double step = (target_ - current_) / static_cast<double>(count);
    double gain = current_;
    for (std::size_t i = 0; i < count; ++i) {
        gain += step;
        for (auto at = i * channels; at < (i + 1) * channels; ++at)
            out[at] =
                static_cast<std::int16_t>(std::clamp(std::lrint(in[at] * gain), -32768L, 32767L));
    }
    current_ = target_;
}

double to_decibels(double level)
{
    constexpr double lowest = -100;
    return std::max(lowest, 20 * std::log10(std::max(level, 1e-9)));
}

Levels measure_levels(std::span<const std::int16_t> samples, unsigned channels)
{
    constexpr double full_scale = 32768;
    // A multiple of the channels, and a width that the compiler vectorises.
    constexpr std::size_t lanes = 8;
    static_assert(lanes % max_level_channels == 0);
    std::array<float, lanes> squares{};
    std::array<std::int16_t, lanes> highest{};
    std::array<std::int16_t, lanes> lowest{};
    const auto add = [&](std::size_t lane, std::int16_t sample) {
        highest[lane] = std::max(highest[lane], sample);
        lowest[lane] = std::min(lowest[lane], sample);
        squares[lane] += static_cast<float>(sample) * static_cast<float>(sample);
    };
    std::size_t at = 0;
    for (; at + lanes <= samples.size(); at += lanes)
        for (std::size_t lane = 0; lane < lanes; ++lane)
            add(lane, samples[at + lane]);
    for (std::size_t lane = 0; at + lane < samples.size(); ++lane)
        add(lane, samples[at + lane]);

    Levels levels;
    for (std::size_t lane = 0; lane < lanes; ++lane) {
        auto &[peak, rms] = levels.at(lane % channels);
        peak = std::max({peak, highest[lane] / full_scale, -lowest[lane] / full_scale});
        rms += squares[lane]; // the sum for now
    }
    const auto count = std::max(1.0, static_cast<double>(samples.size()) / channels);
    for (auto &level : levels)
        level.rms = std::sqrt(level.rms / count) / full_scale;
    return levels;
}

} // namespace jkvm
