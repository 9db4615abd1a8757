// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/playout/transit_distribution.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <numeric>

namespace jkvm {

namespace {

constexpr int room_below = 8; // bins below a new minimum transit
constexpr int minimum_room_below = 4;
// When the transits have moved up and left more bins empty than this, the low end follows.
constexpr int maximum_room_below = 40;
constexpr int room_after_raising = 12;
constexpr double negligible_mass = 0.001;
constexpr std::size_t frames_between_raises = 64;
// A stream that stays beyond the last bin for longer than this had its clock set.
constexpr nanoseconds maximum_beyond = std::chrono::seconds(2);

// The shares are adapted once the histograms contain this many frames.
constexpr std::size_t frames_before_adapting = 20;
constexpr double unseen_probability = 0.005; // reserved for transits never seen before
constexpr double share_update_rate = 0.2;
constexpr double share_exchange = 1e-5; // so that no share vanishes permanently

// Maximum share of a histogram's mass that decays with one frame, however long the frame is.
constexpr double maximum_decay = 0.5;

constexpr double maximum_weight = 1e12;

} // namespace

void TransitDistribution::add(nanoseconds transit, nanoseconds duration)
{
    if (frames_ == 0)
        low_ = transit - room_below * bin_width;
    make_room_below(transit);
    const auto bin = bin_of(transit);
    highest_ = std::max(highest_, bin);

    // Frames released together after a stall are one event and change the shares once.
    const bool in_burst = frames_ > 0 && transit <= last_transit_ - duration * 3 / 4;
    last_transit_ = transit;
    if (frames_ >= frames_before_adapting && !in_burst)
        update_shares(bin);
    for (std::size_t j = 0; j < time_constants.size(); ++j) {
        auto &h = histograms_[j];
        h.mass[bin] += h.next_weight;
        h.sum += h.next_weight;
        h.next_weight /=
            1 -
            std::min(milliseconds_of(duration) / milliseconds_of(time_constants[j]), maximum_decay);
        if (h.next_weight > maximum_weight) {
            for (auto &mass : h.mass)
                mass /= h.next_weight;
            h.sum /= h.next_weight;
            h.next_weight = 1;
        }
    }
    if (++frames_ % frames_between_raises == 0)
        raise_low_end();

    beyond_ = transit >= low_ + bins * bin_width ? beyond_ + duration : nanoseconds(0);
    if (beyond_ > maximum_beyond) {
        reset();
        add(transit, duration);
    }
}

int TransitDistribution::bin_of(nanoseconds transit) const
{
    return static_cast<int>(std::min<std::int64_t>((transit - low_) / bin_width, bins - 1));
}

void TransitDistribution::make_room_below(nanoseconds transit)
{
    if (transit >= low_ + minimum_room_below * bin_width)
        return;
    const auto new_low = transit - room_below * bin_width;
    move_low(-static_cast<int>((low_ - new_low + bin_width - nanoseconds(1)) / bin_width));
}

// Mass that would be shifted out at one end is added to the last bin there.
void TransitDistribution::move_low(int bins_up)
{
    low_ += bins_up * bin_width;
    highest_ = std::clamp(highest_ - bins_up, 0, bins - 1);
    const auto shift = std::min(std::abs(bins_up), bins - 1);
    for (auto &h : histograms_) {
        const auto begin = h.mass.begin();
        const auto end = h.mass.end();
        if (bins_up > 0) {
            h.mass[shift] = std::accumulate(begin, begin + shift + 1, 0.0);
            std::shift_left(begin, end, shift);
            std::fill(end - shift, end, 0.0);
        } else {
            *(end - shift - 1) = std::accumulate(end - shift - 1, end, 0.0);
            std::shift_right(begin, end, shift);
            std::fill(begin, begin + shift, 0.0);
        }
    }
}

void TransitDistribution::raise_low_end()
{
    const auto above = tail();
    const auto first_below =
        std::find_if(above.begin(), above.end(), [](double p) { return p < 1 - negligible_mass; });
    // Lowest bin with more than negligible mass.
    const auto lowest = static_cast<int>(first_below - above.begin()) - 1;
    if (lowest > maximum_room_below)
        move_low(lowest - room_after_raising);
}

void TransitDistribution::update_shares(int bin)
{
    std::array<double, time_constants.size()> predicted{};
    double best = 0;
    for (std::size_t j = 0; j < time_constants.size(); ++j) {
        const auto &h = histograms_[j];
        predicted[j] = (1 - unseen_probability) * h.mass[bin] / h.sum + unseen_probability / bins;
        best = std::max(best, predicted[j]);
    }
    double sum = 0;
    for (std::size_t j = 0; j < time_constants.size(); ++j) {
        auto &share = histograms_[j].share;
        if (predicted[j] < best)
            share *= std::pow(predicted[j] / best, share_update_rate);
        sum += share;
    }
    for (auto &h : histograms_)
        h.share = (1 - share_exchange) * h.share / sum + share_exchange / time_constants.size();
}

std::array<double, TransitDistribution::bins> TransitDistribution::tail() const
{
    std::array<double, time_constants.size()> scale{};
    for (std::size_t j = 0; j < time_constants.size(); ++j)
        scale[j] = histograms_[j].share / histograms_[j].sum;
    std::array<double, bins> tail{};
    double above = 0;
    for (int i = highest_; i >= 0; --i) {
        for (std::size_t j = 0; j < time_constants.size(); ++j)
            above += scale[j] * histograms_[j].mass[i];
        tail[i] = above;
    }
    return tail;
}

} // namespace jkvm
