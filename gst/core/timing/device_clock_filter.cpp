// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/timing/device_clock_filter.h"

#include <algorithm>
#include <numbers>

namespace jkvm {

using namespace std::chrono_literals;

void DeviceClockFilter::update(nanoseconds position, nanoseconds measured)
{
    if (!is_started_) {
        is_started_ = true;
        start_ = position_ = position;
        time_ = measured;
        return;
    }
    // A thread that is preempted during a measurement makes it late. A single late measurement must
    // not pull the loop away.
    constexpr double slowest = 10; // seconds, of the loop's time constant
    constexpr double max_stretch = 0.1;

    const std::chrono::duration<double> step = position - position_;
    const std::chrono::duration<double> age = position - start_;
    const auto predicted = time_at(position);
    const std::chrono::duration<double> error =
        std::clamp(measured - predicted, -max_error_, max_error_);
    // At most half of an error at once; otherwise a long frame would make the loop oscillate.
    const double weight =
        std::min(step.count() / std::clamp(age.count() / 3, fastest_.count(), slowest), 0.5);

    position_ = position;
    time_ =
        predicted + std::chrono::duration_cast<nanoseconds>(error * std::numbers::sqrt2 * weight);
    if (step.count() > 0)
        stretch_ = std::clamp(stretch_ + weight * weight * error.count() / step.count(),
                              -max_stretch, max_stretch);
}

void DeviceClockFilter::restart_at_known_rate()
{
    constexpr std::chrono::duration<double> settled = 3s;
    if (position_ - start_ >= 3 * settled)
        fastest_ = settled;
    restart();
}

nanoseconds DeviceClockFilter::time_at(nanoseconds position) const
{
    const std::chrono::duration<double> step = position - position_;
    return time_ + std::chrono::duration_cast<nanoseconds>(step * (1 + stretch_));
}

} // namespace jkvm
