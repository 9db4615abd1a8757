// SPDX-License-Identifier: LGPL-2.1-or-later
// Judges a sine that was recorded: is it the right one, and is it whole?
#pragma once

#include <cstddef>
#include <vector>

namespace jkvm::testing {

/// The frequency of a sine near `expected` (within 1 Hz for half a second), in Hz.
[[nodiscard]] double measure_frequency(const std::vector<double> &samples, double rate,
                                       double expected);

/// At how many places `samples`, in units of 16 bits, do not continue as a sine of `frequency`
/// would. One hole counts twice: the two samples after it do not follow from those before. Rounding
/// to 16 bits is within the default tolerance; what a codec adds needs more.
[[nodiscard]] size_t count_breaks(const std::vector<double> &samples, double rate, double frequency,
                                  double tolerance = 4);

} // namespace jkvm::testing
