// SPDX-License-Identifier: LGPL-2.1-or-later
// Detects devices that deliver samples without a signal: free-running ones and stuck ones.
#pragma once

#include "core/device/device_supervisor.h"

#include <cstdint>
#include <optional>
#include <span>

namespace jkvm {

/// Checks every frame of a device. Does not allocate.
class CaptureHealth {
public:
    /// A device that delivers this much audio in less than a quarter of the time, several times in
    /// a row, is free-running. A late measurement, or a device that catches up after a stall, does
    /// so once; a wrong rate is at most three times the reported one.
    static constexpr nanoseconds pace_window = std::chrono::milliseconds(100);
    static constexpr int max_fast_windows = 3;
    /// A device whose samples have the same non-zero value for this long is stuck: even hum or a
    /// DC offset contains noise.
    static constexpr nanoseconds max_constant_time = std::chrono::milliseconds(500);

    /// Returns what is wrong with the device, or none. `position` and `captured`: as in
    /// CaptureTimeline::place().
    DeviceTrouble check(nanoseconds position, nanoseconds captured, nanoseconds frame,
                        std::span<const std::int16_t> samples);
    /// Starts over after the device was restarted.
    void restart();
    /// Whether the frames since the last restart show that the device no longer has `trouble`.
    [[nodiscard]] bool is_cleared_of(DeviceTrouble trouble) const;

private:
    struct Moment {
        nanoseconds position;
        nanoseconds captured;
    };
    std::optional<Moment> window_; // its start
    bool has_kept_pace_ = false;   // in the last window
    int fast_windows_ = 0;         // in a row
    std::optional<std::int16_t> constant_;
    nanoseconds constant_time_{0}; // how long every sample has had that value
};

} // namespace jkvm
