// SPDX-License-Identifier: LGPL-2.1-or-later
// Assigns timestamps to captured audio, and to the silence that replaces it.
#pragma once

#include "core/base/time.h"
#include "core/timing/device_clock_filter.h"

#include <optional>

namespace jkvm {

/// Each frame starts where the last one ended. While the timestamps are within 1 ms of the clock, a
/// frame lasts exactly as long as its samples; otherwise frames are made longer or shorter by at
/// most 0.2 % until they are. The clocks of device and pipeline may therefore differ by 1000 ppm
/// without causing a gap. Timestamps never run backwards, and lead the capture time by less than a
/// frame: the frames of a faster device are shortened as far as needed.
class CaptureTimeline {
public:
    /// Maximum deviation from the clock that is not corrected.
    static constexpr nanoseconds tolerance = std::chrono::milliseconds(1);
    /// A larger lag behind the clock, for the duration step_time, means that the clock has stepped.
    static constexpr nanoseconds max_slew = std::chrono::milliseconds(40);
    static constexpr nanoseconds step_time = std::chrono::milliseconds(200);

    struct Stamp {
        nanoseconds time;
        nanoseconds duration;
        bool discontinuity;  ///< it does not start where the last frame ended, or is the first one
        nanoseconds missing; ///< time between the end of the last frame and this one; >= 0
    };

    /// Places a frame of the device. `position`: duration of the samples before it since the device
    /// was started; `captured`: measured capture time of its first sample.
    Stamp place(nanoseconds position, nanoseconds captured, nanoseconds frame);
    /// Places a frame of silence where the last frame ended; the first one at `start`.
    Stamp place_silence(nanoseconds start, nanoseconds frame);

    /// Silence continues at `time`, if that is later than the end of the last frame.
    void skip_to(nanoseconds time);

    /// Restarts counting after the device was restarted.
    void restart_device() { drift_.restart(); }
    /// Handles a change of the device's rate. The next frame takes its own capture time if
    /// that is later.
    void on_rate_changed();
    /// Samples are known to be lost before the next frame, which takes its own capture time however
    /// small the difference.
    void expect_gap() { gap_expected_ = true; }
    /// Starts a new timeline.
    void reset();
    /// Whether frames follow the clock if the device's differs; otherwise only samples are counted.
    void set_following_clock(bool is_following) { follows_ = is_following; }

    /// End of the last frame; nothing before the first.
    [[nodiscard]] std::optional<nanoseconds> next() const { return next_; }
    /// How much faster the device's clock is than the pipeline's, in parts per million.
    [[nodiscard]] double drift_ppm() const { return drift_.ppm(); }

private:
    [[nodiscard]] nanoseconds slew(nanoseconds error, nanoseconds frame);
    /// Duration of the next frame, whose timestamp is `lead` after its capture time.
    [[nodiscard]] nanoseconds duration(nanoseconds lead, nanoseconds frame);

    DeviceClockFilter drift_;
    std::optional<nanoseconds> next_;
    bool follows_ = true;
    bool gap_expected_ = false;
    bool rate_has_changed_ = false;
    bool is_slewing_ = false;
    nanoseconds lag_time_{0}; // duration of successive frames that were late by more than max_slew
    nanoseconds min_lag_{0};  // of these frames
    nanoseconds skip_to_{nanoseconds::min()};
};

} // namespace jkvm
