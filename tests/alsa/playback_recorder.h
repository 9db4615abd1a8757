// SPDX-License-Identifier: LGPL-2.1-or-later
// Records what the virtual playback device plays, and when.
#pragma once

#include "alsa/commands.h"
#include "core/base/unique_fd.h"

#include <cstdint>
#include <span>
#include <string_view>

namespace jkvm::testing {

/// Appends to the file "played" of a control directory, if the file "record" is in it; and writes
/// the lines "play ..." to the log, from which the time of each frame follows. Not thread-safe.
class PlaybackRecorder {
public:
    explicit PlaybackRecorder(const ControlDirectory &control);

    /// The number of interleaved samples in a frame.
    void set_channels(unsigned channels);
    void append(std::span<const int32_t> samples);
    /// The next frame is played at `time`, those after it at `speed` frames per second.
    void mark(ControlDirectory &control, std::string_view event, int64_t time, double speed) const;

private:
    UniqueFd file_;
    unsigned channels_ = 1;
    uint64_t samples_ = 0; // in the file
};

} // namespace jkvm::testing
