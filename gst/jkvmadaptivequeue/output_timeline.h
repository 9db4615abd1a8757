// SPDX-License-Identifier: LGPL-2.1-or-later
// Assigns positions on the output's timeline to played frames and concealment.
#pragma once

#include "core/playout/playout.h"

#include <optional>

namespace jkvm {

/// All times are running times. Thread-bound.
class OutputTimeline {
public:
    /// Maximum duration of one gap: a decoder conceals a GAP event as a whole. A longer gap is not
    /// filled.
    static constexpr nanoseconds maximum_gap = std::chrono::seconds(5);

    struct Gap {
        nanoseconds start;
        nanoseconds duration;
    };
    /// Position of a frame.
    struct Placed {
        nanoseconds time;
        std::optional<Gap> gap_before; ///< to be filled first
        bool is_after_unfilled_gap;
    };

    explicit OutputTimeline(bool follows_playout) : follows_playout_(follows_playout) {}
    /// Restarts the timeline. `follows_playout`: positions are the output times of Playout;
    /// otherwise the media times of the stream.
    void reset(bool follows_playout) { *this = OutputTimeline(follows_playout); }
    [[nodiscard]] bool follows_playout() const { return follows_playout_; }

    Placed place(const Playout::Play &play);
    /// Duration of the frame on this timeline.
    [[nodiscard]] nanoseconds duration_of(const Playout::Play &play) const
    {
        return follows_playout_ ? play.output_duration : play.duration;
    }
    /// Empty if that part of the timeline is filled already.
    std::optional<Gap> place(const Playout::Conceal &conceal);
    /// Places a gap that upstream announced while no frame is queued. It ends at `now` at the
    /// latest, so that it does not overlap a frame that has yet to arrive.
    std::optional<Gap> place_pause(nanoseconds media_end, nanoseconds now);

private:
    [[nodiscard]] nanoseconds shift() const { return follows_playout_ ? offset_ : nanoseconds(0); }
    std::optional<Gap> fill(nanoseconds start, nanoseconds end);

    bool follows_playout_;
    nanoseconds offset_{0};          // of the last frame: output time minus media time
    std::optional<nanoseconds> end_; // of everything placed so far
    bool has_unfilled_gap_ = false;  // directly before end_
};

} // namespace jkvm
