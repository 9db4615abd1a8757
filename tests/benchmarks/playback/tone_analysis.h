// SPDX-License-Identifier: LGPL-2.1-or-later
// Analyses a recorded tone: distortion, and the times at which it was played.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <stdexcept>

namespace jkvm::benchmark {

constexpr double tone_frequency = 997;   // Hz; not 1000: a jump of whole cycles would be hidden
constexpr double tone_amplitude = 29490; // in 16-bit units, 0.9 of full scale

/// Returns the sample of the tone at a time (s).
double tone_at(double time);

struct ToneFigures {
    double thd_n = 0;      ///< total harmonic distortion and noise (dB)
    double span = 0;       ///< largest less smallest playout error (s)
    std::size_t jumps = 0; ///< steps of the playout error by more than 10 us
};

/// Analyses a recording whose sample i was played at `time_of(i)` (s). Playout errors are relative
/// to the samples' times in tone_at(); they are tracked from block to block, so a jump by more than
/// half a period counts as a smaller one. Throws std::runtime_error if the recording is too short.
ToneFigures analyse_tone(std::span<const double> samples,
                         const std::function<double(double)> &time_of);

} // namespace jkvm::benchmark
