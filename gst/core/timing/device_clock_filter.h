// SPDX-License-Identifier: LGPL-2.1-or-later
// How a device's count of time runs against another clock, from measurements that jitter.
#pragma once

#include "core/base/time.h"

namespace jkvm {

/// A delay-locked loop of the second order (F. Adriaensen, "Using a DLL to filter time", 2005): it
/// follows the offset and the rate. Its bandwidth falls from fast to slow in the first half
/// minute, so that it locks soon and is calm after. Allocates nothing.
class DeviceClockFilter {
public:
    /// `position`: how much time the device has counted since it was started; grows. `measured`:
    /// the other clock's time at that position.
    void update(nanoseconds position, nanoseconds measured);
    /// The device was started anew: position and time are forgotten, the rate is kept.
    void restart() { is_started_ = false; }
    /// As restart(), but starts at the bandwidth of an age of 9 s if the filter had that age
    /// before: the rate is known, and a fast loop would only add its noise to it.
    void restart_at_known_rate();

    /// The other clock's time at the last position, without the jitter.
    [[nodiscard]] nanoseconds time() const { return time_; }
    /// The other clock's time at any position, extrapolated from the last one at the current rate.
    [[nodiscard]] nanoseconds time_at(nanoseconds position) const;
    /// How much faster the device runs than the other clock, in parts per million.
    [[nodiscard]] double ppm() const { return 1e6 * (1 / (1 + stretch_) - 1); }

private:
    bool is_started_ = false;
    std::chrono::duration<double> fastest_ = std::chrono::milliseconds(200); // time constant
    nanoseconds start_{0};                                                   // the first position
    nanoseconds position_{0};                                                // the last one
    nanoseconds time_{0};
    double stretch_ =
        0; // by how much longer the other clock says that the device's second is, in s
};

} // namespace jkvm
