// SPDX-License-Identifier: LGPL-2.1-or-later
// Computes how many frames a virtual device has captured or played at a given time.
#include "alsa/device_clock.h"

#include <algorithm>
#include <cmath>

namespace jkvm::testing {
namespace {

constexpr double ns_per_second = 1e9;

} // namespace

double DeviceClock::speed() const
{
    return (source_rate_ > 0 ? source_rate_ : rate_) * (1 + drift_ * 1e-6);
}

double DeviceClock::position(int64_t now) const
{
    if (!running_ || now <= anchor_time_)
        return anchor_position_;
    return anchor_position_ + static_cast<double>(now - anchor_time_) * speed() / ns_per_second;
}

void DeviceClock::rebase(int64_t now)
{
    // Without a rate yet, the time since run_since() is counted later, with the first rate.
    if (!running_ || now <= anchor_time_ || rate_ == 0)
        return;
    anchor_position_ = position(now);
    anchor_time_ = now;
    frozen_ = false;
}

void DeviceClock::set_rate(double rate, int64_t now)
{
    rebase(now);
    rate_ = rate;
}

void DeviceClock::set_source_rate(double rate, int64_t now)
{
    rebase(now);
    source_rate_ = rate;
}

void DeviceClock::set_drift(double ppm, int64_t now)
{
    rebase(now);
    drift_ = ppm;
}

void DeviceClock::freeze(int64_t duration, int64_t now)
{
    rebase(now);
    anchor_time_ = now + duration;
    frozen_ = duration > 0;
}

void DeviceClock::run_since(int64_t epoch)
{
    running_ = true;
    anchor_time_ = epoch;
    anchor_position_ = 0;
}

void DeviceClock::start(int64_t now)
{
    if (!running_) {
        running_ = true;
        anchor_time_ = std::max(now, anchor_time_); // frozen before it was started
    }
    origin_ = static_cast<uint64_t>(position(now));
    frames_ = 0;
    losses_.clear();
    suspended_ = false;
}

void DeviceClock::lose(uint64_t frames)
{
    losses_.push_back({frames_, lost() + frames});
}

void DeviceClock::suspend(int64_t now)
{
    suspended_position_ = static_cast<uint64_t>(position(now));
    suspended_ = true;
}

void DeviceClock::resume(int64_t now)
{
    if (!suspended_)
        return;
    lose(static_cast<uint64_t>(position(now)) - suspended_position_);
    suspended_ = false;
}

uint64_t DeviceClock::advance(int64_t now, uint64_t limit)
{
    if (suspended_)
        return frames_;
    const uint64_t base = origin_ + lost();
    const auto here = static_cast<uint64_t>(position(now));
    uint64_t made = here > base ? here - base : 0;
    if (is_free_running() && made > limit) {
        anchor_position_ = static_cast<double>(base + limit);
        anchor_time_ = now;
        made = limit;
    }
    frames_ = std::max(frames_, made);
    return frames_;
}

uint64_t DeviceClock::content_position(uint64_t frame) const
{
    const auto after =
        std::upper_bound(losses_.begin(), losses_.end(), frame,
                         [](uint64_t f, const LostFrames &loss) { return f < loss.frame; });
    return origin_ + frame + (after == losses_.begin() ? 0 : std::prev(after)->lost);
}

int64_t DeviceClock::time_of(uint64_t frames) const
{
    if (suspended_ || !running_ || speed() <= 0)
        return never;
    const double ahead = static_cast<double>(origin_ + lost() + frames) - anchor_position_;
    if (ahead <= 0)
        return anchor_time_;
    return anchor_time_ + static_cast<int64_t>(std::ceil(ahead / speed() * ns_per_second));
}

bool DeviceClock::is_free_running() const
{
    return rate_ > 0 && speed() >= free_running * rate_;
}

} // namespace jkvm::testing
