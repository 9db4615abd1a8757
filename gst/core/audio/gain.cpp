// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/audio/gain.h"

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

Levels measure_levels(std::span<const std::int16_t> samples, unsigned channels)
{
    constexpr double full_scale = 32768;
    std::array<std::int64_t, max_level_channels> squares{};
    std::array<int, max_level_channels> peaks{};
    for (std::size_t i = 0; i < samples.size(); ++i) {
        const auto channel = i % channels;
        const int sample = samples[i];
        squares.at(channel) += static_cast<std::int64_t>(sample) * sample;
        peaks.at(channel) = std::max(peaks.at(channel), std::abs(sample));
    }
    Levels levels;
    const auto count = std::max(1.0, static_cast<double>(samples.size()) / channels);
    for (std::size_t c = 0; c < levels.size(); ++c)
        levels.at(c) = {peaks.at(c) / full_scale,
                        std::sqrt(static_cast<double>(squares.at(c)) / count) / full_scale};
    return levels;
}

} // namespace jkvm
