// SPDX-License-Identifier: LGPL-2.1-or-later
// The element's running time and the wall clock, read together, to convert between them.
#pragma once

#include "core/base/time.h"

#include <gst/gst.h>

#include <optional>

namespace jkvm {

/// One moment on both clocks.
struct ClockPair {
    nanoseconds running; ///< since the pipeline's base time
    WallTime wall;

    [[nodiscard]] WallTime wall_of(nanoseconds running_time) const
    {
        return wall + (running_time - running);
    }
    [[nodiscard]] nanoseconds running_of(WallTime wall_time) const
    {
        return running + (wall_time - wall);
    }
};

/// Nothing while the element has no clock (below PLAYING).
inline std::optional<ClockPair> read_clocks(GstElement *element)
{
    const GstClockTime running = gst_element_get_current_running_time(element);
    if (!GST_CLOCK_TIME_IS_VALID(running))
        return std::nullopt;
    return ClockPair{nanoseconds(running), wall_now()};
}

} // namespace jkvm
