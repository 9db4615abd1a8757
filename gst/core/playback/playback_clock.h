// SPDX-License-Identifier: LGPL-2.1-or-later
// Estimates when a playback device plays each frame of its ring.
#pragma once

#include "core/base/time.h"
#include "core/timing/device_clock_filter.h"

#include <cstdint>

namespace jkvm {

/// Smooths observations of the hardware pointer. Frames are counted from the device's start and
/// include the silence it was started with. Thread-bound.
class PlaybackClock {
public:
    /// `rate`: the device's nominal rate in Hz.
    explicit PlaybackClock(unsigned rate) : rate_(rate) {}

    /// Records that the hardware pointer reached `frame` at `time`. A reading qualifies only if the
    /// pointer had just moved; see PointerEdgeDetector.
    void observe(std::uint64_t frame, MonotonicTime time);
    /// Records that the device's pitch control was set: from `frame` on, the device plays `pitch`
    /// times as fast as by its own clock.
    void set_pitch(double pitch, std::uint64_t frame);
    [[nodiscard]] double pitch() const { return pitch_; }
    /// Discards the position after the device was restarted; its rate is kept.
    void restart();

    /// Number of observations since the last restart. Before the first one, time_of() is
    /// meaningless.
    [[nodiscard]] unsigned observations() const { return observations_; }
    /// Time at which the device plays `frame`, in the past or in the future.
    [[nodiscard]] MonotonicTime time_of(std::uint64_t frame) const;
    /// The frame that the device plays at `time`; 0 before the start.
    [[nodiscard]] std::uint64_t frame_at(MonotonicTime time) const;
    /// How much faster the device's own clock runs than its nominal rate, in parts per million.
    [[nodiscard]] double ppm() const { return filter_.ppm(); }
    [[nodiscard]] unsigned rate() const { return rate_; }

    /// Time that the device's own clock counts from its start until `frame` is played.
    [[nodiscard]] nanoseconds to_time(std::uint64_t frame) const;

private:
    /// The nominal duration. Intermediate results do not overflow for 292 years of audio.
    [[nodiscard]] nanoseconds duration_of(std::uint64_t frames) const;

    unsigned rate_;
    double pitch_ = 1;
    std::uint64_t pitch_frame_ = 0; // first frame played at `pitch_`
    nanoseconds pitch_time_{0};     // to_time(pitch_frame_)
    unsigned observations_ = 0;
    DeviceClockFilter filter_;
};

} // namespace jkvm
