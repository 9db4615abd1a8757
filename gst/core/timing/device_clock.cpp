// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/timing/device_clock.h"

#include <algorithm>

namespace jkvm {

using namespace std::chrono_literals;

nanoseconds DeviceClock::at(MonotonicTime now) const
{
    const auto elapsed = now - base_;
    return base_time_ + elapsed +
           nanoseconds(
               static_cast<nanoseconds::rep>(static_cast<double>(elapsed.count()) * ppm_ * 1e-6));
}

void DeviceClock::restart()
{
    drift_ = DeviceClockFilter();
    position_ = 0ns;
}

void DeviceClock::update(nanoseconds position, MonotonicTime captured)
{
    // Before `settling` the estimate follows the jitter. No sound card's clock is off by more than
    // `max_ppm`.
    constexpr auto settling = 5s;
    constexpr double max_ppm = 2000; // ppm
    if (position < position_ || position_ == 0ns) {
        drift_.restart();
        start_ = position;
    }
    position_ = position;
    drift_.update(position, captured.time_since_epoch());
    if (position - start_ < settling || captured <= base_)
        return;
    base_time_ = at(captured);
    base_ = captured;
    ppm_ = std::clamp(drift_.ppm(), -max_ppm, max_ppm);
}

} // namespace jkvm
