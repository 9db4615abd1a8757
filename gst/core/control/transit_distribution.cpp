// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/control/transit_distribution.h"

#include <algorithm>
#include <cmath>

namespace jkvm {

namespace {

constexpr std::size_t room_below = 8; // bins below a new least transit
constexpr std::size_t least_room_below = 4;
// When the transits have moved up and left so many bins empty, the low end follows.
constexpr std::size_t most_room_below = 40;
constexpr std::size_t room_after_raising = 12;
constexpr double negligible_mass = 0.001;
constexpr std::size_t frames_between_raises = 64;
// A stream that is beyond the last bin for so long does not come back: its clock was set.
constexpr nanoseconds longest_beyond = std::chrono::seconds(2);

// The shares: before so many frames no histogram has anything to say.
constexpr std::size_t frames_before_judging = 20;
constexpr double surprise = 0.005; // the probability kept for what was never seen
constexpr double learning_rate = 0.2;
constexpr double least_share_flow = 1e-5; // so that no share is lost for ever

constexpr double largest_weight = 1e12;

} // namespace

void TransitDistribution::add(nanoseconds transit, nanoseconds duration)
{
    if (frames_ == 0)
        low_ = transit - room_below * bin_width;
    make_room_below(transit);
    const auto bin = bin_of(transit);

    if (frames_ >= frames_before_judging)
        learn_shares(bin);
    for (std::size_t j = 0; j < memories.size(); ++j) {
        auto &h = histograms_[j];
        h.mass[bin] += h.next_weight;
        h.sum += h.next_weight;
        h.next_weight /= 1 - milliseconds_of(duration) / milliseconds_of(memories[j]);
        if (h.next_weight > largest_weight) {
            for (auto &mass : h.mass)
                mass /= h.next_weight;
            h.sum /= h.next_weight;
            h.next_weight = 1;
        }
    }
    if (++frames_ % frames_between_raises == 0)
        raise_low_end();

    beyond_ = transit >= low_ + bins * bin_width ? beyond_ + duration : nanoseconds(0);
    if (beyond_ > longest_beyond) {
        reset();
        add(transit, duration);
    }
}

std::size_t TransitDistribution::bin_of(nanoseconds transit) const
{
    return std::min(static_cast<std::size_t>((transit - low_) / bin_width), bins - 1);
}

void TransitDistribution::make_room_below(nanoseconds transit)
{
    if (transit >= low_ + least_room_below * bin_width)
        return;
    const auto short_of = low_ + room_below * bin_width - transit;
    move_low(-((short_of + bin_width - nanoseconds(1)) / bin_width));
}

// What falls off at an end is added to the last bin there.
void TransitDistribution::move_low(std::ptrdiff_t bins_up)
{
    low_ += bins_up * bin_width;
    const auto shift =
        static_cast<std::size_t>(std::min<std::ptrdiff_t>(std::abs(bins_up), bins - 1));
    const auto by = static_cast<std::ptrdiff_t>(shift);
    for (auto &h : histograms_) {
        if (bins_up > 0) {
            for (std::size_t i = 0; i < shift; ++i)
                h.mass[shift] += h.mass[i];
            std::shift_left(h.mass.begin(), h.mass.end(), by);
            std::fill(h.mass.end() - by, h.mass.end(), 0.0);
        } else {
            for (std::size_t i = bins - shift; i < bins; ++i)
                h.mass[bins - shift - 1] += h.mass[i];
            std::shift_right(h.mass.begin(), h.mass.end(), by);
            std::fill(h.mass.begin(), h.mass.begin() + by, 0.0);
        }
    }
}

void TransitDistribution::raise_low_end()
{
    const auto above = tail();
    const auto lowest =
        static_cast<std::size_t>(std::find_if(above.begin(), above.end(),
                                              [](double p) { return p < 1 - negligible_mass; }) -
                                 above.begin()) -
        1; // the bin in which the mass begins that counts
    if (lowest > most_room_below)
        move_low(static_cast<std::ptrdiff_t>(lowest - room_after_raising));
}

void TransitDistribution::learn_shares(std::size_t bin)
{
    std::array<double, memories.size()> foreseen{};
    double best = 0;
    for (std::size_t j = 0; j < memories.size(); ++j) {
        const auto &h = histograms_[j];
        foreseen[j] = (1 - surprise) * h.mass[bin] / h.sum + surprise / bins;
        best = std::max(best, foreseen[j]);
    }
    double sum = 0;
    for (std::size_t j = 0; j < memories.size(); ++j) {
        auto &share = histograms_[j].share;
        if (foreseen[j] < best)
            share *= std::pow(foreseen[j] / best, learning_rate);
        sum += share;
    }
    for (auto &h : histograms_)
        h.share = (1 - least_share_flow) * h.share / sum + least_share_flow / memories.size();
}

std::array<double, TransitDistribution::bins> TransitDistribution::tail() const
{
    std::array<double, memories.size()> scale{};
    for (std::size_t j = 0; j < memories.size(); ++j)
        scale[j] = histograms_[j].share / histograms_[j].sum;
    std::array<double, bins> tail{};
    double above = 0;
    for (std::size_t i = bins; i-- > 0;) {
        for (std::size_t j = 0; j < memories.size(); ++j)
            above += scale[j] * histograms_[j].mass[i];
        tail[i] = above;
    }
    return tail;
}

} // namespace jkvm
