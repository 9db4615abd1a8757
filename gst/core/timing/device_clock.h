// SPDX-License-Identifier: LGPL-2.1-or-later
// A clock at the rate of an audio device, which continues while no device is open.
#pragma once

#include "core/base/time.h"
#include "core/timing/device_clock_filter.h"

namespace jkvm {

/// CLOCK_MONOTONIC at the rate of the device's own clock. Never jumps; continues without a device
/// at the rate of the last one. Not thread-safe: the owner locks it.
class DeviceClock {
public:
    /// Updates the rate: the sample at `position` was captured at that time. A position before the
    /// last one means that the device was restarted.
    void update(nanoseconds position, MonotonicTime captured);

    /// Handles a change of the device's rate.
    void restart();
    [[nodiscard]] nanoseconds at(MonotonicTime now) const;

private:
    DeviceClockFilter drift_;
    nanoseconds start_{0};    // first position since the device was started
    nanoseconds position_{0}; // last position
    MonotonicTime base_{};    // start of the current segment
    nanoseconds base_time_{0};
    double ppm_ = 0; // rate of the current segment
};

} // namespace jkvm
