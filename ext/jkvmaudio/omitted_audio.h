// SPDX-License-Identifier: LGPL-2.1-or-later
// Represents the audio that a source does not output, because nothing listens, by GAP events.
#pragma once

#include "core/base/time.h"

#include <gst/base/base.h>

#include <optional>

namespace jkvm {

/// The events cover the time without a hole. As long as extend() is called in time, they are at
/// most 1 s apart, or as much as the heartbeat context of the pipeline requests. Used by the
/// streaming thread only.
class OmittedAudio {
public:
    explicit OmittedAudio(GstBaseSrc *src) : src_(src) {}

    /// Reads the heartbeat context; to be called before the stream starts.
    void reset();
    /// The audio from `begin` to `end` is omitted. Only the first `begin` after finish() counts;
    /// the audio is contiguous from there. `until_next`: time until the next call, if it is known.
    void extend(nanoseconds begin, nanoseconds end, nanoseconds until_next);
    /// The next frame to be output starts at `end`. Returns whether audio was omitted before it.
    bool finish(nanoseconds end);
    /// The interval at which extend() has to be called because the pipeline is watched.
    [[nodiscard]] std::optional<nanoseconds> heartbeat() const { return heartbeat_; }

private:
    void push(nanoseconds end);

    GstBaseSrc *src_;
    std::optional<nanoseconds> heartbeat_;
    std::optional<nanoseconds> begin_; // of the audio not represented yet, while audio is omitted
};

} // namespace jkvm
