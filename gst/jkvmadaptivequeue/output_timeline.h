// SPDX-License-Identifier: LGPL-2.1-or-later
// Where on the output's time line stands what is played and concealed.
#pragma once

#include "core/playout/playout.h"

#include <optional>

namespace jkvm {

/// Running times, all of them. Thread-bound; the owner's lock guards it.
class OutputTimeline {
public:
    /// More than this is never given out in one piece: a decoder would conceal it all at once.
    /// After that the line has a hole.
    static constexpr nanoseconds longest_gap = std::chrono::seconds(5);

    struct Gap {
        nanoseconds start;
        nanoseconds duration;
    };
    /// A frame's place, and what is missing before the first one.
    struct Placed {
        nanoseconds time;
        std::optional<Gap> gap_before;
        bool after_hole;
    };

    /// The line begins anew. `follows_playout`: things stand where they are due; otherwise where
    /// they stood in the stream.
    void reset(bool follows_playout) { *this = OutputTimeline(follows_playout); }
    explicit OutputTimeline(bool follows_playout) : follows_playout_(follows_playout) {}
    [[nodiscard]] bool follows_playout() const { return follows_playout_; }

    Placed place(const Playout::Play &play);
    /// Nothing where something stands already.
    std::optional<Gap> place(const Playout::Conceal &conceal);
    /// What upstream says it has nothing for, while there is nothing to play either: up to now, so
    /// that what comes still has a place.
    std::optional<Gap> place_pause(nanoseconds media_end, nanoseconds now);

private:
    [[nodiscard]] nanoseconds shift() const { return follows_playout_ ? offset_ : nanoseconds(0); }
    std::optional<Gap> fill(nanoseconds start, nanoseconds end);

    bool follows_playout_;
    nanoseconds offset_{0};          // of the last frame: output time minus media time
    std::optional<nanoseconds> end_; // of what was placed last
    bool has_hole_ = false;          // there, too long to be filled
};

} // namespace jkvm
