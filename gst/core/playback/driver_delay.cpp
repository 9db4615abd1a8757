// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/playback/driver_delay.h"

#include <algorithm>

namespace jkvm {

void DriverDelay::on_measurement(nanoseconds measured, MonotonicTime now)
{
    if (!mean_)
        mean_ = value_ = measured;
    if (std::chrono::abs(measured - *mean_) > tolerance)
        left_ = measurements;
    *mean_ += (measured - *mean_) / measurements;
    left_ = std::max(left_ - 1, 0);
    next_ = now + interval;
    if (std::chrono::abs(*mean_ - value_) > tolerance)
        value_ = *mean_;
}

void DriverDelay::reset()
{
    mean_.reset();
    restart();
}

} // namespace jkvm
