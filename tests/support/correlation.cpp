// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/correlation.h"

#include <bit>
#include <cmath>
#include <complex>
#include <numbers>
#include <utility>
#include <vector>

namespace jkvm::testing {
namespace {

using Complex = std::complex<double>;

// std::complex's operator also handles infinities, which makes it several times slower.
Complex multiply(Complex a, Complex b)
{
    return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
}

void reverse_bits_of_indices(std::vector<Complex> &values)
{
    for (std::size_t i = 1, j = 0; i < values.size(); ++i) {
        auto bit = values.size() / 2;
        for (; (j & bit) != 0; bit /= 2)
            j ^= bit;
        j ^= bit;
        if (i < j)
            std::swap(values[i], values[j]);
    }
}

// Computes the Fourier transform in place; the size is a power of two.
void transform(std::vector<Complex> &values)
{
    reverse_bits_of_indices(values);
    std::vector<Complex> factors(values.size() / 2);
    for (std::size_t i = 0; i < factors.size(); ++i)
        factors[i] = std::polar(1.0, -2 * std::numbers::pi * static_cast<double>(i) /
                                         static_cast<double>(values.size()));
    for (std::size_t half = 1; half < values.size(); half *= 2) {
        const auto step = factors.size() / half;
        for (std::size_t begin = 0; begin < values.size(); begin += 2 * half) {
            for (std::size_t i = 0; i < half; ++i) {
                const auto even = values[begin + i];
                const auto odd = multiply(values[begin + half + i], factors[i * step]);
                values[begin + i] = even + odd;
                values[begin + half + i] = even - odd;
            }
        }
    }
}

// Returns the cross-correlation of the recording with the signal at the lags 0 to `lags` - 1.
std::vector<double> correlate(std::span<const float> recording, std::span<const double> signal,
                              std::size_t lags)
{
    std::vector<Complex> a(std::bit_ceil(signal.size() + recording.size()));
    auto b = a;
    std::copy(signal.begin(), signal.end(), a.begin());
    std::copy(recording.begin(), recording.end(), b.begin());
    transform(a);
    transform(b);
    // The inverse transform is the conjugate of the transform of the conjugate.
    for (std::size_t i = 0; i < a.size(); ++i)
        a[i] = multiply(std::conj(a[i]), b[i]);
    transform(a);
    std::vector<double> result(lags);
    for (std::size_t i = 0; i < lags; ++i)
        result[i] = a[i].real() / static_cast<double>(a.size());
    return result;
}

} // namespace

Match find_in_loop(std::span<const float> recording, std::span<const float> loop)
{
    if (recording.empty() || loop.empty())
        return {};
    std::vector<double> signal(loop.size() + recording.size() - 1);
    for (std::size_t i = 0; i < signal.size(); ++i)
        signal[i] = static_cast<double>(loop[i % loop.size()]);
    const auto products = correlate(recording, signal, loop.size());

    double energy = 0; // of the recording
    for (const float sample : recording)
        energy += static_cast<double>(sample) * static_cast<double>(sample);
    std::vector<double> sums(signal.size() + 1); // of squares, up to each sample
    for (std::size_t i = 0; i < signal.size(); ++i)
        sums[i + 1] = sums[i] + signal[i] * signal[i];

    // Parts of the signal with less energy count as silence: rounding errors dominate there.
    const double silence = 1e-9 * sums.back();
    Match best;
    for (std::size_t lag = 0; lag < loop.size(); ++lag) {
        const double here = sums[lag + recording.size()] - sums[lag];
        if (energy <= 0 || here <= silence)
            continue;
        const double correlation = products[lag] / std::sqrt(energy * here);
        if (correlation > best.correlation)
            best = {.correlation = correlation, .lag = lag};
    }
    return best;
}

} // namespace jkvm::testing
