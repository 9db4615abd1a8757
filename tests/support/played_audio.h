// SPDX-License-Identifier: LGPL-2.1-or-later
// Reads the audio that a test PCM has played, and the time of each frame.
#pragma once

#include "support/alsa_device.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace jkvm::testing {

/// The recording of a TestPcm with record_playback(). All streams in it must have the same
/// channels.
class PlayedAudio {
public:
    /// Reads the recording so far, which ends with the last call of the PCM.
    explicit PlayedAudio(const TestPcm &pcm, unsigned channels = 2);

    [[nodiscard]] size_t frames() const { return samples_.size() / channels_; }
    /// Returns the samples of one channel, in 16-bit units.
    [[nodiscard]] std::vector<double> channel(unsigned channel = 0) const;
    /// Returns the time at which a frame was played, on CLOCK_MONOTONIC. Frames from before the
    /// first start have none.
    [[nodiscard]] std::chrono::nanoseconds time_of(double frame) const;
    /// Returns the first frame after `time` whose absolute value reaches `level` in 16-bit units;
    /// frames() if there is none.
    [[nodiscard]] size_t first_above(double level, std::chrono::nanoseconds time = {}) const;

private:
    struct Mark {
        double frame;
        double time; // ns
        double speed;
    };
    [[nodiscard]] const Mark &mark_before(double frame) const;

    unsigned channels_;
    std::vector<int32_t> samples_;
    std::vector<Mark> marks_; // by frame
};

} // namespace jkvm::testing
