// SPDX-License-Identifier: LGPL-2.1-or-later
// Volume and level of 16-bit audio.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace jkvm {

/// Applies a volume without clicks: a change is spread over one frame. Does not allocate.
class Gain {
public:
    /// Factor: 1 = unchanged, 0 = silence. Samples that exceed full scale are clipped.
    void set(double target) { target_ = target; }
    /// Whether the next frame stays as it is.
    [[nodiscard]] bool is_unity() const { return current_ == 1 && target_ == 1; }
    /// Applies the volume to one whole interleaved frame. `out` has the size of `in` and may be the
    /// same memory.
    void apply(std::span<const std::int16_t> in, unsigned channels, std::span<std::int16_t> out);
    /// Finishes a pending change at once, for a frame of silence.
    void finish_change() { current_ = target_; }

private:
    double current_ = 1;
    double target_ = 1;
};

/// Level of one channel of a frame; 1 = full scale.
struct Level {
    double peak = 0;
    double rms = 0;
};
inline constexpr std::size_t max_level_channels = 2;
using Levels = std::array<Level, max_level_channels>;

/// Converts a level to dB relative to full scale, -100 at the lowest.
double to_decibels(double level);

/// `samples`: interleaved, 1 or 2 channels.
Levels measure_levels(std::span<const std::int16_t> samples, unsigned channels);

} // namespace jkvm
