// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/playout/tail_cost.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace jkvm {

using namespace std::chrono_literals;

namespace {

constexpr auto bin_width = TransitDistribution::bin_width;

// A dropped frame is assumed to reduce the delay for this long.
constexpr nanoseconds horizon = 40s;
constexpr nanoseconds check_interval = 100ms;
// Price of dropping a quiet frame, as a share of the full price.
constexpr double quiet_share = 0.05;

// A late frame's arrival is predicted once the distribution contains this many frames.
constexpr std::size_t frames_before_prediction = 200;
constexpr double negligible_probability = 1e-6;
// Share of the transits that count as extreme.
constexpr double extreme_share = 0.02;

} // namespace

void TailCostPolicy::configure(const TailCostConfig &config)
{
    config_ = config;
}

void TailCostPolicy::reset()
{
    transits_.reset();
    is_tail_stale_ = true;
    last_check_.reset();
    has_just_dropped_ = false;
    is_drop_considered_ = false;
}

void TailCostPolicy::observe(const TransitSample &sample)
{
    transits_.add(sample.transit, sample.duration);
    is_tail_stale_ = true;
}

void TailCostPolicy::refresh()
{
    if (!is_tail_stale_ || transits_.empty())
        return;
    is_tail_stale_ = false;
    tail_ = transits_.tail();
}

double TailCostPolicy::cost_of(std::size_t bin) const
{
    return static_cast<double>(bin) * milliseconds_of(bin_width) + config_.late_cost * tail_[bin];
}

double TailCostPolicy::cost(nanoseconds offset)
{
    refresh();
    const auto above_low = offset - transits_.low();
    if (above_low < 0ns)
        return std::numeric_limits<double>::infinity();
    const auto bin = static_cast<std::size_t>(above_low / bin_width);
    if (bin + 1 < tail_.size()) {
        const auto beyond_edge = above_low % bin_width;
        return std::lerp(cost_of(bin), cost_of(bin + 1),
                         milliseconds_of(beyond_edge) / milliseconds_of(bin_width));
    }
    constexpr auto last_bin = (TransitDistribution::bins - 1) * bin_width;
    return cost_of(tail_.size() - 1) + milliseconds_of(above_low - last_bin);
}

nanoseconds TailCostPolicy::request_change(const Slot &slot)
{
    if (!has_just_dropped_ && last_check_ && slot.time - *last_check_ < check_interval)
        return 0ns;
    last_check_ = slot.time;
    has_just_dropped_ = false;
    if (!slot.can_drop)
        return 0ns;
    // Transits in the same bin as the offset may be on either side of it. They are taken to be in
    // time, because one of them may be the frame that set this delay: otherwise the delay would be
    // reduced and then raised again by the next such frame.
    const auto present = cost(slot.offset + bin_width) - milliseconds_of(bin_width);
    const auto gain = present - cost(slot.offset - slot.duration);
    const auto full_price =
        config_.late_cost * milliseconds_of(slot.duration) / milliseconds_of(horizon);
    const auto quiet_price = quiet_share * full_price;
    is_drop_considered_ = gain > quiet_price;
    if (gain <= (slot.is_quiet ? quiet_price : full_price))
        return 0ns;
    has_just_dropped_ = true;
    return -slot.duration;
}

double TailCostPolicy::tail_at(nanoseconds offset) const
{
    const auto above_low = std::max(offset - transits_.low(), 0ns);
    const auto bin = static_cast<std::size_t>(above_low / bin_width);
    if (bin + 1 >= tail_.size())
        return 0;
    return std::lerp(tail_[bin], tail_[bin + 1],
                     milliseconds_of(above_low % bin_width) / milliseconds_of(bin_width));
}

nanoseconds TailCostPolicy::conceal_step(nanoseconds offset, nanoseconds step, nanoseconds maximum)
{
    if (transits_.frames() < frames_before_prediction)
        return maximum;
    refresh();
    // If no frame has been that late, it exceeds the largest transits as much as those exceed the
    // next smaller ones.
    if (tail_at(offset) < negligible_probability)
        while (offset > transits_.low() && tail_at(offset) < extreme_share)
            offset -= bin_width;
    const auto probable = tail_at(offset) / 2;
    auto length = step;
    while (length < maximum && tail_at(offset + length) > probable)
        length += step;
    return std::min(length, maximum);
}

nanoseconds TailCostPolicy::target()
{
    refresh();
    std::size_t best = 0;
    for (std::size_t bin = 1; bin < tail_.size(); ++bin)
        best = cost_of(bin) < cost_of(best) ? bin : best;
    return transits_.low() + static_cast<std::int64_t>(best) * bin_width;
}

} // namespace jkvm
