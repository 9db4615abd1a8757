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

// std::complex's own operator also sorts out infinities, at several times the cost.
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

// Fourier transform in place, of a power of two.
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

// Of the recording with the `lags` parts of the sound that begin at 0, 1, 2, ...
std::vector<double> correlate(std::span<const float> recording, std::span<const double> sound,
                              std::size_t lags)
{
    std::vector<Complex> a(std::bit_ceil(sound.size() + recording.size()));
    auto b = a;
    std::copy(sound.begin(), sound.end(), a.begin());
    std::copy(recording.begin(), recording.end(), b.begin());
    transform(a);
    transform(b);
    // The inverse of a transform is the conjugate of the transform of the conjugate.
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
    std::vector<double> sound(loop.size() + recording.size() - 1);
    for (std::size_t i = 0; i < sound.size(); ++i)
        sound[i] = static_cast<double>(loop[i % loop.size()]);
    const auto products = correlate(recording, sound, loop.size());

    double energy = 0; // of the recording
    for (const float sample : recording)
        energy += static_cast<double>(sample) * static_cast<double>(sample);
    std::vector<double> sums(sound.size() + 1); // of squares, up to each sample
    for (std::size_t i = 0; i < sound.size(); ++i)
        sums[i + 1] = sums[i] + sound[i] * sound[i];

    // Below that a part of the sound counts as silence: what is left there are rounding errors.
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
