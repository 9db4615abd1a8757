// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/timing/arrival_drift_estimator.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace jkvm {

namespace {

// Slopes that are averaged: the mean of the first ones, then an exponential average.
constexpr int averaged_slopes = 10;

// Minimum excess of one sign among the slopes, in standard deviations of a random distribution.
constexpr double min_agreement = 2.5;

} // namespace

void ArrivalDriftEstimator::observe(nanoseconds arrival, nanoseconds transit)
{
    if (open_ && arrival - open_->start >= bucket_length)
        close_bucket(arrival);
    const auto level = transit - reference(arrival);
    if (!open_) {
        open_ = Bucket{arrival, arrival, transit, level};
        return;
    }
    if (transit < open_->transit) {
        open_->at = arrival;
        open_->transit = transit;
    }
    open_->level = std::min(open_->level, level);
}

void ArrivalDriftEstimator::close_bucket(nanoseconds now)
{
    full_[(begin_ + count_) % window] = *open_;
    open_.reset();
    if (count_ < window)
        ++count_;
    else
        begin_ = (begin_ + 1) % window;
    // Buckets older than the window are dropped, however rare the frames were.
    while (full(0).start < now - window * bucket_length) {
        begin_ = (begin_ + 1) % window;
        if (--count_ == 0)
            break;
    }
    min_level_ = nanoseconds::max();
    for (int i = 0; i < count_; ++i)
        min_level_ = std::min(min_level_, full(i).level);

    rebase(now);
    if (const auto slope = measured_slope()) {
        slopes_ = std::min(slopes_ + 1, averaged_slopes);
        slope_ += (*slope - slope_) / slopes_;
    }
}

std::optional<double> ArrivalDriftEstimator::measured_slope() const
{
    if (count_ < min_buckets)
        return std::nullopt;
    const auto half = count_ / 2;
    std::array<double, window> slopes{};
    const auto pairs = count_ - half;
    for (int i = 0; i < pairs; ++i) {
        const auto &early = full(i);
        const auto &late = full(i + half);
        slopes[i] = static_cast<double>((late.transit - early.transit).count()) /
                    static_cast<double>((late.at - early.at).count());
    }
    // Without drift the signs are random.
    const auto up = std::count_if(slopes.begin(), slopes.begin() + pairs,
                                  [](double slope) { return slope > 0; });
    const auto lead = static_cast<double>(std::abs(2 * up - pairs));
    if (lead < min_agreement * std::sqrt(pairs))
        return 0.0;
    const auto middle = slopes.begin() + pairs / 2;
    std::nth_element(slopes.begin(), middle, slopes.begin() + pairs);
    if (std::abs(*middle) > max_drift)
        return std::nullopt;
    return *middle;
}

nanoseconds ArrivalDriftEstimator::reference(nanoseconds at) const
{
    if (!following_)
        return base_;
    return base_ + nanoseconds(std::llround(slope_ * static_cast<double>((at - since_).count())));
}

void ArrivalDriftEstimator::rebase(nanoseconds now)
{
    base_ = reference(now);
    since_ = now;
}

void ArrivalDriftEstimator::set_following(bool following, nanoseconds now)
{
    rebase(now);
    following_ = following;
}

nanoseconds ArrivalDriftEstimator::minimum() const
{
    return open_ ? std::min(min_level_, open_->level) : nanoseconds(0);
}

nanoseconds ArrivalDriftEstimator::recent_minimum() const
{
    if (!open_)
        return nanoseconds(0);
    auto minimum = open_->level;
    if (count_ > 0)
        minimum = std::min(minimum, full(count_ - 1).level);
    return minimum;
}

void ArrivalDriftEstimator::reset()
{
    *this = [following = following_] {
        ArrivalDriftEstimator fresh;
        fresh.following_ = following;
        return fresh;
    }();
}

} // namespace jkvm
