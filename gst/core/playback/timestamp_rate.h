// SPDX-License-Identifier: LGPL-2.1-or-later
// Measures the rate of a stream's timestamps relative to that of its samples.
#pragma once

#include "core/base/time.h"
#include "core/timing/device_clock_filter.h"

#include <array>
#include <cstddef>
#include <optional>

namespace jkvm {

/// An element that changes its delay gradually stretches the timestamps of its output, and the
/// samples have to be resampled by the same factor. The factor is taken from the buffers' durations
/// or, if these are not stretched, from equal intervals between timestamps. The slow drift of the
/// pipeline's clock against CLOCK_MONOTONIC is added. Thread-bound.
class TimestampRate {
public:
    /// Maximum stretch, in ppm; a larger deviation is jitter or a jump.
    static constexpr double largest_stretch = 6000;

    struct Packet {
        nanoseconds timestamp; ///< running time of the first sample
        nanoseconds duration;  ///< according to the buffer; 0: unknown
        nanoseconds samples;   ///< nominal duration of the samples
        MonotonicTime due;     ///< time at which the first sample is to be played
    };

    /// Returns how much longer than nominal the next packet of the stream has to be played, in
    /// parts per million.
    double next(const Packet &packet);
    /// To be called if the next packet does not continue the stream. The measured drift is kept.
    void restart();

private:
    [[nodiscard]] double stretch_of(const Packet &packet);
    void follow_clock(const Packet &packet);

    static constexpr std::size_t intervals_needed = 3;

    std::optional<Packet> before_;
    std::array<double, intervals_needed> intervals_{}; // stretch between timestamps, in ppm
    std::size_t interval_count_ = 0;
    DeviceClockFilter clock_; // position: timestamp; time: when it is due
    bool has_clock_ = false;
};

} // namespace jkvm
