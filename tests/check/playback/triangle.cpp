// SPDX-License-Identifier: LGPL-2.1-or-later
#include "playback/triangle.h"

#include <algorithm>
#include <cmath>

namespace jkvm::testing {
namespace {

constexpr double period = 48000;
constexpr double peak = 12000;

} // namespace

double triangle_at(double frame)
{
    const double phase = std::fmod(frame, period);
    return phase < period / 2 ? phase - peak : 3 * peak - phase;
}

std::vector<std::int16_t> triangle(std::size_t first_frame, std::size_t frames)
{
    std::vector<std::int16_t> samples(frames);
    for (std::size_t i = 0; i < frames; ++i)
        samples[i] = static_cast<std::int16_t>(triangle_at(static_cast<double>(first_frame + i)));
    return samples;
}

PlayoutErrors measure_playout(const PlayedAudio &played, nanoseconds due, nanoseconds begin,
                              nanoseconds end)
{
    PlayoutErrors errors;
    const auto samples = played.channel();
    std::size_t audible = 0; // in a row
    for (std::size_t i = 0; i < samples.size(); ++i) {
        const auto time = played.time_of(static_cast<double>(i));
        // Near 0 it may be silence, after which the resampler needs 64 frames to follow; at the
        // corners it rounds.
        audible = std::abs(samples[i]) < 1000 ? 0 : audible + 1;
        if (time < begin || time >= end || audible <= 64 || std::abs(samples[i]) > peak - 1000)
            continue;
        const double frame = static_cast<double>((time - due).count()) * 48e-6;
        const double expected = triangle_at(frame);
        const bool rises = std::fmod(frame, period) < period / 2;
        // A late sample has a value of before.
        const double late = rises ? expected - samples[i] : samples[i] - expected;
        const nanoseconds error(std::llround(late / 48e-6));
        if (errors.frames++ == 0) {
            errors.first = time;
            errors.smallest = errors.largest = error;
        }
        errors.smallest = std::min(errors.smallest, error);
        errors.largest = std::max(errors.largest, error);
        errors.all.push_back(error);
    }
    std::ranges::sort(errors.all);
    return errors;
}

nanoseconds PlayoutErrors::quantile(double rank) const
{
    if (all.empty())
        return nanoseconds(0);
    return all[static_cast<std::size_t>(rank * static_cast<double>(all.size() - 1))];
}

} // namespace jkvm::testing
