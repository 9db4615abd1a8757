// SPDX-License-Identifier: LGPL-2.1-or-later
// A test signal whose value tells the position in the stream, and a check of when it was played.
#pragma once

#include "core/base/time.h"
#include "support/played_audio.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace jkvm::testing {

/// Rises by 1 per frame for half a second at 48 kHz and falls again. The value at frame 0 is the
/// lowest, -12000; a resampled copy has the same values at the same times.
double triangle_at(double frame);
std::vector<std::int16_t> triangle(std::size_t first_frame, std::size_t frames);

/// Playout errors of a recorded triangle: how far each recorded sample is from where it is due.
struct PlayoutErrors {
    nanoseconds smallest{0}; ///< negative: played before it was due
    nanoseconds largest{0};
    std::size_t frames = 0; ///< that were measured: audio, apart from the corners of the triangle
    nanoseconds first{0};   ///< when the first of them was played
    std::vector<nanoseconds> all; ///< in ascending order

    [[nodiscard]] nanoseconds span() const { return largest - smallest; }
    /// Returns the error that the share `rank` of the frames does not exceed; 0 without frames.
    [[nodiscard]] nanoseconds quantile(double rank) const;
    /// The span without the outer tenths: for tests in real time, in which a machine that is busy
    /// with other work may cause a few errors.
    [[nodiscard]] nanoseconds central_span() const { return quantile(0.9) - quantile(0.1); }
};

/// Measures what was played between two times. `due`: of frame 0 of the triangle.
PlayoutErrors measure_playout(const PlayedAudio &played, nanoseconds due, nanoseconds begin,
                              nanoseconds end = nanoseconds::max());

} // namespace jkvm::testing
