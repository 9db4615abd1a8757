// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/device/rate_check.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace jkvm {

using namespace std::chrono_literals;

namespace {

constexpr double recent_interval = 0.008; // s
constexpr double check_interval = 0.035;
constexpr double history_interval = 0.1;
constexpr double fit_interval = 0.5;
// Fewer points do not show a line.
constexpr std::size_t min_points = 6;
constexpr double window_tolerance = 1.3;
// A deviation must exceed the spread of the points around the line by this factor.
constexpr double min_clarity = 8;
// Readings of a device that does not pause are this close to a line, s.
constexpr double max_spread = 0.002;
constexpr double max_unsure_step = 0.004;
constexpr double max_fine_step = 0.002;
constexpr double min_coarse_window = 3;
// A ramp must be longer than this number of steps of the position.
constexpr double max_beat = 1.6;
constexpr double max_granularity = 0.03; // s; a longer rest is a stall
constexpr double max_rest = 0.005;
constexpr double granularity_decay_time = 10;
// A step in the readings that is larger than this is a stall or lost samples.
constexpr double max_step = 0.003; // s
constexpr double first_refinement = 0.4;
constexpr double longest_refinement_pause = 4;
constexpr double min_refinement = 5e-6;
constexpr double max_line_error = 0.001; // s

double seconds(nanoseconds time)
{
    return std::chrono::duration<double>(time).count();
}

/// The start value of a correction: the next standard rate, if the estimate is close to one.
double snap_to_standard(double rate)
{
    constexpr std::array standard{32000.0, 44100.0, 48000.0, 88200.0, 96000.0};
    constexpr double tolerance = 0.0015;
    for (const double candidate : standard)
        if (std::abs(rate / candidate - 1) < tolerance)
            return candidate;
    return rate;
}

double median(std::span<double> values)
{
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

} // namespace

void RateCheck::History::add(const Reading &reading, double interval, double rate)
{
    if (count_ > 0 && reading.time - interval_start_ < interval) {
        auto &newest = readings_[(begin_ + count_ - 1) % max_points];
        const bool is_disturbed = newest.is_disturbed || reading.is_disturbed;
        if (reading.time - reading.samples / rate < newest.time - newest.samples / rate)
            newest = reading;
        newest.is_disturbed = is_disturbed;
        return;
    }
    interval_start_ = reading.time;
    if (count_ == max_points) {
        begin_ = (begin_ + 1) % max_points;
        --count_;
    }
    readings_[(begin_ + count_++) % max_points] = reading;
}

RateCheck::Points::Points(const History &history, nanoseconds window)
    : history_(history), first_(history.count())
{
    if (first_ < min_points)
        return;
    const double last = history.at(first_ - 1).time;
    // Readings are ordered by time.
    std::size_t begin = 0;
    for (std::size_t end = first_; begin < end;) {
        const auto middle = (begin + end) / 2;
        if (last - history.at(middle).time > seconds(window) * window_tolerance)
            begin = middle + 1;
        else
            end = middle;
    }
    if (first_ - begin >= min_points && last - history.at(begin).time >= seconds(window))
        first_ = begin;
}

std::optional<double> RateCheck::find_deviation(const Points &points, double threshold) const
{
    if (points.count() < min_points)
        return std::nullopt;
    const auto &first = points[0];
    const auto &last = points[points.count() - 1];
    const double duration = last.time - first.time;
    // A cheap test first, which most devices always pass.
    const double ends = (last.samples - first.samples) / rate_ / duration - 1;
    if (std::abs(ends) < threshold / 2)
        return std::nullopt;

    const auto line = fit_line(points);
    const double ratio = rate_ * (1 + line.slope) / reported_;
    if (std::abs(line.slope) < threshold || ratio < min_ratio || ratio > max_ratio)
        return std::nullopt;
    // A position that moves in steps beats with the readings: a slow ramp of up to one step.
    const double step = granularity();
    // A pause looks like a step, too, so only the certain part of the granularity explains a
    // spread.
    const double certain =
        std::max(static_cast<double>(common_step_ - 1) / rate_, std::min(step, max_unsure_step));
    const double spread = std::max(0.0, line.spread - certain);
    // A short window contains too few steps of a position that moves in large steps.
    if ((step > max_fine_step && duration < min_coarse_window) || spread > max_spread ||
        std::abs(line.slope) * duration < min_clarity * spread + max_beat * step)
        return std::nullopt;
    return has_slope_throughout(points, line.slope) ? std::optional(line.slope) : std::nullopt;
}

double RateCheck::gain(const Reading &from, const Reading &to) const
{
    return (to.samples - from.samples) / rate_ - (to.time - from.time);
}

RateCheck::Line RateCheck::fit_line(const Points &points) const
{
    const auto &first = points[0];
    const auto count = static_cast<double>(points.count());
    double mean_time = 0;
    double mean_lead = 0;
    for (std::size_t i = 0; i < points.count(); ++i) {
        mean_time += (points[i].time - first.time) / count;
        mean_lead += gain(first, points[i]) / count;
    }
    double covariance = 0;
    double variance = 0;
    for (std::size_t i = 0; i < points.count(); ++i) {
        const double time = points[i].time - first.time - mean_time;
        covariance += time * (gain(first, points[i]) - mean_lead);
        variance += time * time;
    }
    const double slope = covariance / variance;
    double lowest = 0;
    double highest = 0;
    for (std::size_t i = 0; i < points.count(); ++i) {
        const double time = points[i].time - first.time - mean_time;
        const double residual = gain(first, points[i]) - mean_lead - slope * time;
        lowest = std::min(lowest, residual);
        highest = std::max(highest, residual);
    }
    return {.slope = slope, .spread = highest - lowest};
}

bool RateCheck::has_slope_throughout(const Points &points, double slope) const
{
    const auto count = points.count();
    const double duration = points[count - 1].time - points[0].time;
    // The parts must be so long that their deviation exceeds the steps of the position.
    const double part =
        2 * granularity() / std::abs(slope) / duration * static_cast<double>(count - 1);
    const auto lag = static_cast<std::size_t>(std::max(1.0, std::ceil(part)));
    if (lag > count / 2)
        return false;
    std::array<double, max_points> slopes{};
    std::size_t found = 0;
    std::size_t undisturbed = 0; // points in a row
    for (std::size_t i = 0; i < count; ++i) {
        undisturbed = points[i].is_disturbed ? 0 : undisturbed + 1;
        if (undisturbed <= lag)
            continue;
        const auto &from = points[i - lag];
        slopes[found++] = gain(from, points[i]) / (points[i].time - from.time);
    }
    if (found < (count - lag) / 2 || found == 0)
        return false;
    const double typical = median(std::span(slopes).first(found));
    return typical * slope > 0 && std::abs(typical) >= std::abs(slope) / 2;
}

bool RateCheck::estimate_granularity(std::uint64_t samples, double time)
{
    if (common_step_ != 1)
        common_step_ = std::gcd(common_step_, samples);
    if (samples != last_samples_) {
        last_samples_ = samples;
        moved_at_ = time;
        return false;
    }
    unmoved_time_ *= std::exp((decayed_at_ - time) / granularity_decay_time);
    decayed_at_ = time;
    const double unmoved = time - moved_at_;
    unmoved_time_ = std::clamp(unmoved, unmoved_time_, max_granularity);
    return unmoved > max_rest + 1.5 * static_cast<double>(common_step_ - 1) / rate_;
}

double RateCheck::granularity() const
{
    return std::max(unmoved_time_, static_cast<double>(common_step_ - 1) / rate_);
}

std::optional<double> RateCheck::detect(double now)
{
    if (now < next_check_)
        return std::nullopt;
    next_check_ = now + check_interval;
    if (const auto found = find_deviation({recent_, short_window}, short_threshold))
        return found;
    if (now < next_long_check_)
        return std::nullopt;
    next_long_check_ = now + history_interval;
    if (const auto found = find_deviation({history_, middle_window}, short_threshold))
        return found;
    return find_deviation({history_, long_window}, long_threshold);
}

RateCheck::Event RateCheck::observe(std::uint64_t samples, MonotonicTime time, nanoseconds lateness)
{
    const auto position = static_cast<double>(samples);
    if (!base_time_) {
        base_time_ = time;
        base_samples_ = position;
    }
    Reading reading{position - base_samples_, seconds(time - *base_time_), false};
    const bool has_paused = estimate_granularity(samples, reading.time);
    reading.is_disturbed = has_paused || lateness > max_lateness;
    recent_.add(reading, recent_interval, rate_);
    history_.add(reading, history_interval, rate_);
    if (const auto deviation = detect(reading.time))
        return apply(rate_ * (1 + *deviation));
    if (!is_mismatched_)
        return Event::none;
    add_to_fit(reading);
    if (reading.time < next_refinement_ || !refine())
        return Event::none;
    if (std::abs(rate_ / reported_ - 1) < restored_threshold && refinement_pause_ >= 1)
        return apply(reported_);
    return Event::refined;
}

RateCheck::Event RateCheck::apply(double rate)
{
    const double now = history_.at(history_.count() - 1).time;
    recent_.clear();
    history_.clear();
    fit_.clear();
    last_fitted_.reset();
    removed_ = 0;
    next_refinement_ = now + first_refinement;
    refinement_pause_ = first_refinement;
    is_mismatched_ = std::abs(rate / reported_ - 1) >= restored_threshold;
    rate_ = is_mismatched_ ? snap_to_standard(rate) : reported_;
    return is_mismatched_ ? Event::mismatched : Event::restored;
}

void RateCheck::add_to_fit(const Reading &reading)
{
    if (last_fitted_) {
        const double step =
            (reading.time - last_fitted_->time) - (reading.samples - last_fitted_->samples) / rate_;
        if (std::abs(step) > max_step + 2 * granularity())
            removed_ += step;
    }
    last_fitted_ = reading;
    fit_.add({reading.samples, reading.time - removed_, false}, fit_interval, rate_);
}

bool RateCheck::refine()
{
    const auto count = fit_.count();
    refinement_pause_ = std::min(2 * refinement_pause_, longest_refinement_pause);
    next_refinement_ = last_fitted_->time + refinement_pause_;
    if (count < 2)
        return false;
    // Theil and Sen: the median of all slopes that span at least half of the readings.
    std::array<double, max_points> slopes{};
    std::size_t found = 0;
    const auto span = count / 2;
    for (std::size_t i = 0; i + span < count; ++i) {
        const auto &from = fit_.at(i);
        const auto &to = fit_.at(i + span);
        slopes[found++] = (to.samples - from.samples) / (to.time - from.time);
    }
    const double rate = median(std::span(slopes).first(found));
    const bool is_new = std::abs(rate / rate_ - 1) > min_refinement &&
                        rate > min_ratio * reported_ && rate < max_ratio * reported_;
    if (is_new)
        rate_ = rate;
    return is_new;
}

void RateCheck::restart()
{
    base_time_.reset();
    recent_.clear();
    history_.clear();
    fit_.clear();
    last_fitted_.reset();
    removed_ = 0;
    last_samples_ = 0;
    moved_at_ = decayed_at_ = 0;
    next_check_ = next_long_check_ = 0;
    next_refinement_ = is_mismatched_ ? refinement_pause_ : 0;
}

} // namespace jkvm
