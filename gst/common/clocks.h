// SPDX-License-Identifier: LGPL-2.1-or-later
// An element's running time and the wall clock, read together.
#pragma once

#include "core/base/time.h"

#include <gst/gst.h>

#include <optional>

namespace jkvm {

/// Nothing while the element has no clock (below PLAYING).
inline std::optional<ClockPair> read_clocks(GstElement *element)
{
    const GstClockTime running = gst_element_get_current_running_time(element);
    if (!GST_CLOCK_TIME_IS_VALID(running))
        return std::nullopt;
    return ClockPair{nanoseconds(running), wall_now()};
}

} // namespace jkvm
