// SPDX-License-Identifier: LGPL-2.1-or-later
// Volume and level of 16-bit sound.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace jkvm {

/// Turns volume without a click: a change takes one frame. Allocates nothing.
class Gain {
public:
    /// 1 = unchanged, 0 = silence; more than 1 is clipped where it must be.
    void set(double target) { target_ = target; }
    /// Whether the next frame is to come out as it goes in.
    [[nodiscard]] bool is_unity() const { return current_ == 1 && target_ == 1; }
    /// One whole frame, interleaved; `out` is as long as `in` and may be the same.
    void apply(std::span<const std::int16_t> in, unsigned channels, std::span<std::int16_t> out);
    /// As if a frame had been applied: of silence nothing is to be turned.
    void skip() { current_ = target_; }

private:
    double current_ = 1;
    double target_ = 1;
};

/// How loud a frame is, per channel; 1 = full scale.
struct Level {
    double peak = 0;
    double rms = 0;
};
inline constexpr std::size_t max_level_channels = 2;
using Levels = std::array<Level, max_level_channels>;

/// `samples`: interleaved, 1 or 2 channels.
Levels measure_levels(std::span<const std::int16_t> samples, unsigned channels);

} // namespace jkvm
