// SPDX-License-Identifier: LGPL-2.1-or-later
// Measures the frequency and the continuity of a recorded sine.
#pragma once

#include <cstddef>
#include <vector>

namespace jkvm::testing {

/// Returns the frequency of a sine near `expected` (Hz). The difference must be below 1 Hz for half
/// a second of samples.
[[nodiscard]] double measure_frequency(const std::vector<double> &samples, double rate,
                                       double expected);

/// Returns the number of positions at which `samples` (16-bit units) do not continue as a sine of
/// `frequency`. A gap counts twice, because the two samples after it do not follow from those
/// before it. The default tolerance covers rounding to 16 bits; codec noise needs a larger one.
[[nodiscard]] size_t count_breaks(const std::vector<double> &samples, double rate, double frequency,
                                  double tolerance = 4);

} // namespace jkvm::testing
