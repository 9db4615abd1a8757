// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/tone.h"

#include <cmath>
#include <complex>
#include <numbers>

namespace jkvm::testing {

double measure_frequency(const std::vector<double> &samples, double rate, double expected)
{
    // The phase relative to `expected` in each half; the phase shift is the frequency difference.
    const double step = 2 * std::numbers::pi * expected / rate;
    const size_t half = samples.size() / 2;
    std::complex<double> sums[2];
    for (size_t i = 0; i < 2 * half; i++)
        sums[i / half] += samples[i] * std::polar(1.0, -step * static_cast<double>(i));
    const double shift = std::arg(sums[1] / sums[0]);
    return expected + shift * rate / (2 * std::numbers::pi * static_cast<double>(half));
}

size_t count_breaks(const std::vector<double> &samples, double rate, double frequency,
                    double tolerance)
{
    // For three consecutive samples of a sine, a + c = 2 cos(step) b. Rounding to 16 bits adds at
    // most 2.
    const double factor = 2 * std::cos(2 * std::numbers::pi * frequency / rate);
    size_t breaks = 0;
    for (size_t i = 2; i < samples.size(); i++) {
        if (std::abs(samples[i] + samples[i - 2] - factor * samples[i - 1]) > tolerance)
            breaks++;
    }
    return breaks;
}

} // namespace jkvm::testing
