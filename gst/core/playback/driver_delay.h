// SPDX-License-Identifier: LGPL-2.1-or-later
// Smooths the delay between a device's ring and its output, and limits how often it is measured.
#pragma once

#include "core/base/time.h"

#include <optional>

namespace jkvm {

/// Measuring costs as much as reading the hardware pointer several times. Therefore the delay is
/// measured 16 times in succession after a start or a change, and otherwise once per second.
/// Thread-bound.
class DriverDelay {
public:
    /// Measurements in succession, and time constant of the mean in measurements.
    static constexpr int measurements = 16;
    static constexpr nanoseconds interval = std::chrono::seconds(1);
    /// A smaller change of the mean does not change value().
    static constexpr nanoseconds tolerance = std::chrono::milliseconds(1);

    [[nodiscard]] bool is_due(MonotonicTime now) const { return left_ > 0 || now >= next_; }
    void on_measurement(nanoseconds measured, MonotonicTime now);
    /// Discards all measurements after a device was opened; value() is kept until the next one.
    void reset();
    /// Requests measurements after the device was restarted.
    void restart() { left_ = measurements; }

    [[nodiscard]] nanoseconds value() const { return value_; }

private:
    std::optional<nanoseconds> mean_;
    nanoseconds value_{0};
    int left_ = measurements; // until the next one is due at `next_` only
    MonotonicTime next_{};
};

} // namespace jkvm
