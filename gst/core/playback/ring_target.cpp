// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/playback/ring_target.h"

#include <algorithm>

namespace jkvm {

RingTarget::RingTarget(nanoseconds lower_bound, nanoseconds upper_bound)
    : upper_bound_(std::max(lower_bound, upper_bound)),
      time_(std::clamp(initial, lower_bound, upper_bound_))
{}

bool RingTarget::on_write(nanoseconds left, MonotonicTime now)
{
    if (left >= near_miss || now < ignore_until_)
        return false;
    ignore_until_ = now + event_interval;
    if (left <= nanoseconds(0))
        return raise(now);
    if (near_misses_ == 0 || now - first_near_miss_ > window) {
        first_near_miss_ = now;
        near_misses_ = 0;
    }
    return ++near_misses_ > near_misses_allowed && raise(now);
}

bool RingTarget::raise(MonotonicTime now)
{
    near_misses_ = 0;
    first_near_miss_ = now;
    const auto before = time_;
    time_ = std::min(time_ + time_ / 2, upper_bound_);
    return time_ != before;
}

} // namespace jkvm
