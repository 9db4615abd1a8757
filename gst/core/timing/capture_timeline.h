// SPDX-License-Identifier: LGPL-2.1-or-later
// Timestamps of captured sound, and of the silence that stands for it while there is none.
#pragma once

#include "core/base/time.h"
#include "core/timing/device_clock_filter.h"

#include <optional>

namespace jkvm {

/// Each frame begins where the last one ended. A frame lasts exactly as long as its samples say, as
/// long as that keeps to the clock within 1 ms; then frames are made longer or shorter by at most
/// 0.2 % until it does again. So the clocks of device and pipeline may differ by 1000 ppm, for
/// ever, without a hole.
class CaptureTimeline {
public:
    /// What counts as keeping to the clock.
    static constexpr nanoseconds tolerance = std::chrono::milliseconds(1);
    /// Beyond that, and for so much sound, the clock has stepped.
    static constexpr nanoseconds largest_slew = std::chrono::milliseconds(40);
    static constexpr nanoseconds step_time = std::chrono::milliseconds(200);

    struct Stamp {
        nanoseconds time;
        nanoseconds duration;
        bool discontinuity; ///< it does not stand where the last frame ended; also the first one
        nanoseconds hole;   ///< how long nothing is between the last frame and this one; >= 0
    };

    /// A frame of the device. `position`: how much sound it has counted before it since it was
    /// started; `captured`: when the frame's first sample was captured, as measured.
    Stamp place(nanoseconds position, nanoseconds captured, nanoseconds frame);
    /// A frame of silence: it stands where the last one ended, the first one at `start`.
    Stamp place_silence(nanoseconds start, nanoseconds frame);

    /// The device counts from 0 again; what it says next is measured anew.
    void restart_device() { drift_.restart(); }
    /// The next frame takes its own capture time, however small the difference: something is known
    /// to be missing before it.
    void expect_hole() { hole_expected_ = true; }
    /// A new time line: what was before is forgotten.
    void reset();
    /// Whether frames follow the clock when it runs differently; else only samples count.
    void follow_clock(bool follow) { follows_ = follow; }

    /// The end of the last frame; nothing before the first.
    [[nodiscard]] std::optional<nanoseconds> next() const { return next_; }
    /// How much faster the device's clock is than the pipeline's, in parts per million.
    [[nodiscard]] double drift_ppm() const { return drift_.ppm(); }

private:
    [[nodiscard]] nanoseconds slew(nanoseconds error, nanoseconds frame);

    DeviceClockFilter drift_;
    std::optional<nanoseconds> next_;
    bool follows_ = true;
    bool hole_expected_ = false;
    bool is_slewing_ = false;
    nanoseconds off_time_{0}; // of the frames in a row that were off by more than largest_slew
};

} // namespace jkvm
