// SPDX-License-Identifier: LGPL-2.1-or-later
#include "benchmarks/playback/tone_analysis.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>

namespace jkvm::benchmark {
namespace {

constexpr double turn = 2 * std::numbers::pi;
constexpr std::size_t noise_block = 4800; // samples of one fit for the distortion
constexpr std::size_t phase_block = 480;  // samples of one playout error
constexpr double jump = 10e-6;            // s; the control loop moves less than 6 us in a block

/// A least-squares fit of a tone to a block.
struct Fit {
    double noise = 0; // sum of the squares that the fit leaves
    double power = 0; // sum of the squares of the block
    double phase = 0; // at the middle of the block, of a sine
};

constexpr std::size_t terms = 5;
using Vector = std::array<double, terms>;

/// Solves a linear system by elimination with pivoting.
Vector solve(std::array<Vector, terms> matrix, Vector right)
{
    for (std::size_t column = 0; column < terms; ++column) {
        std::size_t best = column;
        for (std::size_t row = column + 1; row < terms; ++row)
            if (std::abs(matrix[row][column]) > std::abs(matrix[best][column]))
                best = row;
        std::swap(matrix[column], matrix[best]);
        std::swap(right[column], right[best]);
        for (std::size_t row = 0; row < terms; ++row) {
            if (row == column)
                continue;
            const double factor = matrix[row][column] / matrix[column][column];
            for (std::size_t i = column; i < terms; ++i)
                matrix[row][i] -= factor * matrix[column][i];
            right[row] -= factor * right[column];
        }
    }
    for (std::size_t row = 0; row < terms; ++row)
        right[row] /= matrix[row][row];
    return right;
}

/// `step`: phase between two samples. The fit includes a constant and, for a frequency that is
/// slightly off, a tone that grows with time.
Fit fit_tone(std::span<const double> block, double step)
{
    const double middle = static_cast<double>(block.size() - 1) / 2;
    const auto basis_at = [&](std::size_t i) {
        const double place = static_cast<double>(i) - middle;
        const double sine = std::sin(step * place);
        const double cosine = std::cos(step * place);
        const double slope = place / middle;
        return Vector{1, sine, cosine, slope * sine, slope * cosine};
    };
    std::array<Vector, terms> matrix{};
    Vector right{};
    for (std::size_t i = 0; i < block.size(); ++i) {
        const auto basis = basis_at(i);
        for (std::size_t row = 0; row < terms; ++row) {
            for (std::size_t column = 0; column < terms; ++column)
                matrix[row][column] += basis[row] * basis[column];
            right[row] += basis[row] * block[i];
        }
    }
    const auto factors = solve(matrix, right);
    Fit fit;
    for (std::size_t i = 0; i < block.size(); ++i) {
        const auto basis = basis_at(i);
        double rest = block[i];
        for (std::size_t term = 0; term < terms; ++term)
            rest -= factors[term] * basis[term];
        fit.noise += rest * rest;
        fit.power += block[i] * block[i];
    }
    fit.phase = std::atan2(factors[2], factors[1]);
    return fit;
}

/// Returns an angle between -pi and pi.
double wrap(double angle)
{
    return std::remainder(angle, turn);
}

} // namespace

double tone_at(double time)
{
    return tone_amplitude * std::sin(turn * tone_frequency * time);
}

ToneFigures analyse_tone(std::span<const double> samples,
                         const std::function<double(double)> &time_of)
{
    if (samples.size() < 2 * noise_block)
        throw std::runtime_error("the recorded tone is too short");
    const auto last = static_cast<double>(samples.size() - 1);
    const double step = turn * tone_frequency * (time_of(last) - time_of(0)) / last;
    double noise = 0;
    double power = 0;
    for (std::size_t at = 0; at + noise_block <= samples.size(); at += noise_block) {
        const auto fit = fit_tone(samples.subspan(at, noise_block), step);
        noise += fit.noise;
        power += fit.power;
    }
    ToneFigures figures{.thd_n = 10 * std::log10(noise / power)};
    double error = 0; // s, relative to the first block
    double smallest = 0;
    double largest = 0;
    double before = std::numeric_limits<double>::quiet_NaN();
    for (std::size_t at = 0; at + phase_block <= samples.size(); at += phase_block) {
        const double middle = static_cast<double>(at) + static_cast<double>(phase_block - 1) / 2;
        const double lag = turn * tone_frequency * time_of(middle) -
                           fit_tone(samples.subspan(at, phase_block), step).phase;
        const double change = std::isnan(before) ? 0 : wrap(lag - before) / (turn * tone_frequency);
        before = lag;
        error += change;
        figures.jumps += std::abs(change) > jump ? 1 : 0;
        smallest = std::min(smallest, error);
        largest = std::max(largest, error);
    }
    figures.span = largest - smallest;
    return figures;
}

} // namespace jkvm::benchmark
