// SPDX-License-Identifier: LGPL-2.1-or-later
// Estimates offset and rate of a device's clock against another clock from noisy measurements.
#pragma once

#include "core/base/time.h"

namespace jkvm {

/// A second-order delay-locked loop (F. Adriaensen, "Using a DLL to filter time", 2005). Its
/// bandwidth falls during the first half minute, so that it locks quickly and rejects jitter later.
/// Does not allocate.
class DeviceClockFilter {
public:
    /// `max_error`: limit for the error of a single measurement.
    explicit DeviceClockFilter(nanoseconds max_error = std::chrono::milliseconds(5))
        : max_error_(max_error)
    {}

    /// `position`: time that the device has counted since it was started; must not decrease.
    /// `measured`: the other clock's time at that position.
    void update(nanoseconds position, nanoseconds measured);
    /// The device was restarted: position and time are discarded, the rate is kept.
    void restart() { is_started_ = false; }
    /// As restart(), but a filter that has run for 9 s continues with the bandwidth of that age:
    /// its rate is known, and a fast loop would only add noise to it.
    void restart_at_known_rate();

    /// The other clock's time at the last position, filtered.
    [[nodiscard]] nanoseconds time() const { return time_; }
    /// The other clock's time at any position, extrapolated from the last one at the current rate.
    [[nodiscard]] nanoseconds time_at(nanoseconds position) const;
    /// How much faster the device runs than the other clock, in parts per million.
    [[nodiscard]] double ppm() const { return 1e6 * (1 / (1 + stretch_) - 1); }

private:
    nanoseconds max_error_;
    bool is_started_ = false;
    std::chrono::duration<double> fastest_ = std::chrono::milliseconds(200); // time constant
    nanoseconds start_{0};                                                   // first position
    nanoseconds position_{0};                                                // last position
    nanoseconds time_{0};
    double stretch_ = 0; // excess of the device's second over one second of the other clock, in s
};

} // namespace jkvm
