// SPDX-License-Identifier: LGPL-2.1-or-later
// Generates audio of several kinds for tests of the codec.
#pragma once

#include <vector>

namespace jkvm::testing {

/// Each signal is mono at 48 kHz and lasts 4 s, speech() 10 s. Full scale is 1.
std::vector<float> tone(); ///< 997 Hz
std::vector<float> chord();
std::vector<float> scale();
std::vector<float> pink_noise();
/// Organ chords with a percussive noise on each quarter.
std::vector<float> music();
/// Voiced syllables at 5 Hz, then a pause with room noise at -60 dBFS, in turns.
std::vector<float> speech();
inline constexpr double speech_phrase = 1.2; ///< length of the syllables in one period, in s
inline constexpr double speech_period = 2.0; ///< in s

} // namespace jkvm::testing
