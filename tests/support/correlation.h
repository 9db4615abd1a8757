// SPDX-License-Identifier: LGPL-2.1-or-later
// Finds a known signal in a recording by cross-correlation.
#pragma once

#include <cstddef>
#include <span>

namespace jkvm::testing {

struct Match {
    double correlation = 0; ///< 0 = unrelated, 1 = identical up to a gain
    std::size_t lag = 0;    ///< position in the loop at which the recording begins (samples)
};

/// Returns the maximum of the normalised cross-correlation of a recording with an endlessly
/// repeated signal, over all positions at which the recording may begin. Exact; takes about 0.3 s
/// for a million samples.
[[nodiscard]] Match find_in_loop(std::span<const float> recording, std::span<const float> loop);

} // namespace jkvm::testing
