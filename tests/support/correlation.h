// SPDX-License-Identifier: LGPL-2.1-or-later
// How much of a known sound is in a recording.
#pragma once

#include <cstddef>
#include <span>

namespace jkvm::testing {

struct Match {
    double correlation = 0; ///< 0 = nothing in common, 1 = the same but for the level
    std::size_t lag = 0;    ///< where in the loop the recording begins, in samples
};

/// The highest normalised cross-correlation of a recording with an endlessly repeated sound, over
/// all places where the recording may begin. Exact; takes some 0.3 s for a million samples.
[[nodiscard]] Match find_in_loop(std::span<const float> recording, std::span<const float> loop);

} // namespace jkvm::testing
