// SPDX-License-Identifier: LGPL-2.1-or-later
// Tells sound from what a device without a signal gives out.
#pragma once

#include "core/device/device_supervisor.h"

#include <cstdint>
#include <optional>
#include <span>

namespace jkvm {

/// Looks at every frame of a device. Allocates nothing.
class CaptureHealth {
public:
    /// So much sound in less than half of the time is free-running. More than scheduling and a
    /// coarse position of the device can explain.
    static constexpr nanoseconds pace_window = std::chrono::milliseconds(100);
    /// So long the same value, which is not 0, is no sound: even a hum or an offset has noise.
    static constexpr nanoseconds longest_constant = std::chrono::milliseconds(500);

    /// `position` and `captured`: as in CaptureTimeline::place(). What the device is guilty of, or
    /// none.
    DeviceTrouble check(nanoseconds position, nanoseconds captured, nanoseconds frame,
                        std::span<const std::int16_t> samples);
    /// The device counts from 0 again.
    void restart();
    /// Whether what was seen since the last restart clears a device that was guilty of `trouble`.
    [[nodiscard]] bool is_cleared_of(DeviceTrouble trouble) const;

private:
    struct Moment {
        nanoseconds position;
        nanoseconds captured;
    };
    std::optional<Moment> window_;
    bool has_kept_pace_ = false; // for one window
    std::optional<std::int16_t> constant_;
    nanoseconds constant_time_{0}; // how long every sample was that
};

} // namespace jkvm
