// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/timing/arrival_drift_estimator.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace jkvm {

namespace {

// The mean of the first slopes, then an exponential one of about as many: it is there from the
// first slope on, and smooth.
constexpr int most_slopes = 10;

// How many more of the slopes must have one sign than the other, in standard deviations of what
// chance gives.
constexpr double least_agreement = 2.5;

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
    // What is older than the window does not count, however rarely frames came.
    while (full(0).start < now - window * bucket_length) {
        begin_ = (begin_ + 1) % window;
        if (--count_ == 0)
            break;
    }
    least_full_ = nanoseconds::max();
    for (int i = 0; i < count_; ++i)
        least_full_ = std::min(least_full_, full(i).level);

    rebase(now);
    if (const auto slope = measured_slope()) {
        slopes_ = std::min(slopes_ + 1, most_slopes);
        slope_ += (*slope - slope_) / slopes_;
    }
}

std::optional<double> ArrivalDriftEstimator::measured_slope() const
{
    if (count_ < least_window)
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
    // Without drift they point up and down by turns; then chance is not followed.
    const auto up = std::count_if(slopes.begin(), slopes.begin() + pairs,
                                  [](double slope) { return slope > 0; });
    const auto lead = static_cast<double>(std::abs(2 * up - pairs));
    if (lead < least_agreement * std::sqrt(pairs))
        return 0.0;
    const auto middle = slopes.begin() + pairs / 2;
    std::nth_element(slopes.begin(), middle, slopes.begin() + pairs);
    if (std::abs(*middle) > steepest)
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
    return open_ ? std::min(least_full_, open_->level) : nanoseconds(0);
}

nanoseconds ArrivalDriftEstimator::recent_minimum() const
{
    if (!open_)
        return nanoseconds(0);
    auto least = open_->level;
    if (count_ > 0)
        least = std::min(least, full(count_ - 1).level);
    return least;
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
