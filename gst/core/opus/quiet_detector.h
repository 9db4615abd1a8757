// SPDX-License-Identifier: LGPL-2.1-or-later
// Decides from the level of decoded frames which of them can be dropped almost inaudibly.
#pragma once

#include "core/base/time.h"

#include <limits>

namespace jkvm {

/// A frame is quiet if it is far below the loudest recent frames, or close to digital silence. The
/// packets do not show the level: at a variable bitrate the smallest packets of a steady tone are
/// as loud as the others, and SILK's voice activity flag is 0 for steady chords and noise.
/// Thread-bound.
class QuietDetector {
public:
    static constexpr double minimum_distance = 25; ///< below the reference (dB)
    static constexpr double silence_level = -60;   ///< quiet whatever the reference is (dBFS)
    static constexpr double reference_decay = 1;   ///< of the loudest recent level (dB/s)

    /// Records a frame with that RMS level (dBFS). Returns whether it is quiet.
    bool record(double level, nanoseconds duration);

private:
    double reference_ = -std::numeric_limits<double>::infinity();
};

} // namespace jkvm
