// SPDX-License-Identifier: LGPL-2.1-or-later
// Time as a sound device counts it, and as it would have counted while there is none.
#pragma once

#include "core/base/time.h"
#include "core/timing/device_clock_filter.h"

namespace jkvm {

/// CLOCK_MONOTONIC at the rate of the device's own clock. It never jumps, and it goes on without a
/// device at the rate of the last one. The owner locks.
class DeviceClock {
public:
    /// The device has counted `position` of sound by the time that `captured` was; a position
    /// before the last one means that it was started anew.
    void count(nanoseconds position, MonotonicTime captured);

    [[nodiscard]] nanoseconds at(MonotonicTime now) const;

private:
    DeviceClockFilter drift_;
    nanoseconds start_{0};    // the first position since the device was started
    nanoseconds position_{0}; // the last one
    MonotonicTime base_{};    // where the line begins
    nanoseconds base_time_{0};
    double ppm_ = 0; // how steep it is
};

} // namespace jkvm
