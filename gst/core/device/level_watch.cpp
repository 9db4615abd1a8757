// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/device/level_watch.h"

#include "core/device/gain.h"

#include <algorithm>
#include <utility>

namespace jkvm {

namespace {

constexpr std::int16_t highest_sample = 32767;
constexpr std::int16_t lowest_sample = -32768;

/// Whether a channel has that many consecutive samples at the same end of the scale.
bool is_clipped(std::span<const std::int16_t> samples, unsigned channels)
{
    for (std::size_t channel = 0; channel < channels; ++channel) {
        unsigned run = 0;
        std::int16_t previous = 0;
        for (auto at = channel; at < samples.size(); at += channels) {
            const auto sample = samples[at];
            const bool is_full = sample == highest_sample || sample == lowest_sample;
            const bool continues = std::exchange(previous, sample) == sample;
            run = is_full ? (continues ? run + 1 : 1) : 0;
            if (run >= LevelWatch::clipped_samples)
                return true;
        }
    }
    return false;
}

} // namespace

std::optional<LevelWatch::Change> LevelWatch::record(std::span<const std::int16_t> samples,
                                                     unsigned channels, nanoseconds duration,
                                                     nanoseconds silence_after)
{
    const auto levels = measure_levels(samples, channels);
    const auto peak = std::max(levels[0].peak, levels[1].peak);
    const bool is_loud = peak >= highest_sample / 32768.0;
    const bool clips = is_loud && is_clipped(samples, channels);
    const auto silent_before = silent_time_;
    silent_time_ = peak < silence_peak ? silent_time_ + duration : nanoseconds(0);
    unclipped_time_ = clips ? nanoseconds(0) : unclipped_time_ + duration;
    const auto state = next_state(peak, clips, silence_after);
    if (std::exchange(state_, state) == state)
        return std::nullopt;
    return Change{state, peak, std::max(silent_before, silent_time_)};
}

LevelWatch::State LevelWatch::next_state(double peak, bool is_clipped,
                                         nanoseconds silence_after) const
{
    if (is_clipped)
        return State::clipping;
    if (silence_after > nanoseconds(0) && silent_time_ >= silence_after)
        return State::silence;
    const bool was_clipping = state_ == State::clipping && unclipped_time_ < clipping_hold;
    const bool was_silent = state_ == State::silence && peak < silence_peak;
    return was_clipping || was_silent ? state_ : State::audio;
}

const char *name_of(LevelWatch::State state)
{
    switch (state) {
    case LevelWatch::State::silence:
        return "silence";
    case LevelWatch::State::clipping:
        return "clipping";
    case LevelWatch::State::audio:
        break;
    }
    return "audio";
}

} // namespace jkvm
