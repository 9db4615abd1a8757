// SPDX-License-Identifier: LGPL-2.1-or-later
// Notices that captured audio is silent for long, or clipped.
#pragma once

#include "core/base/time.h"

#include <cstdint>
#include <optional>
#include <span>

namespace jkvm {

/// Thread-bound. Does not allocate.
class LevelWatch {
public:
    enum class State { audio, silence, clipping };
    struct Change {
        State state;
        double peak;             ///< of the frame that caused the change; 1 = full scale
        nanoseconds silent_time; ///< how long the input was silent, up to the change
    };

    static constexpr double silence_peak = 1e-3; ///< quieter frames are silent (-60 dBFS)
    /// Consecutive samples of a channel at full scale, from which they count as clipped. A signal
    /// that only just reaches full scale has fewer.
    static constexpr unsigned clipped_samples = 3;
    /// The state remains clipping for that long after the last clipped frame.
    static constexpr nanoseconds clipping_hold = std::chrono::seconds(2);

    /// To be called with each frame of the device. `samples`: interleaved, 1 or 2 channels, before
    /// any volume. `silence_after`: duration of silent input after which the state is silence; 0 =
    /// never. Returns the state if it changed.
    std::optional<Change> record(std::span<const std::int16_t> samples, unsigned channels,
                                 nanoseconds duration, nanoseconds silence_after);
    /// There is no input at present; the silent time is reset.
    void interrupt() { silent_time_ = nanoseconds(0); }
    [[nodiscard]] State state() const { return state_; }

private:
    [[nodiscard]] State next_state(double peak, bool is_clipped, nanoseconds silence_after) const;

    State state_ = State::audio;
    nanoseconds silent_time_{0};    // up to the last frame
    nanoseconds unclipped_time_{0}; // since the last clipped frame
};

/// "audio", "silence" or "clipping".
const char *name_of(LevelWatch::State state);

} // namespace jkvm
