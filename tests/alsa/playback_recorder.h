// SPDX-License-Identifier: LGPL-2.1-or-later
// Records the frames that the virtual playback device plays, and their times.
#pragma once

#include "alsa/commands.h"
#include "core/base/unique_fd.h"

#include <cstdint>
#include <span>
#include <string_view>

namespace jkvm::testing {

/// Appends to the file "played" of a control directory that contains the file "record", and writes
/// "play ..." lines to the log, from which the time of each frame follows. Not thread-safe.
class PlaybackRecorder {
public:
    explicit PlaybackRecorder(const ControlDirectory &control);

    /// Sets the number of interleaved samples in a frame.
    void set_channels(unsigned channels);
    void append(std::span<const int32_t> samples);
    /// Logs that the next frame is played at `time` (ns) and those after it at `speed` frames per
    /// second.
    void mark(ControlDirectory &control, std::string_view event, int64_t time, double speed) const;

private:
    UniqueFd file_;
    unsigned channels_ = 1;
    uint64_t samples_ = 0; // number in the file
};

} // namespace jkvm::testing
