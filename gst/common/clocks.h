// SPDX-License-Identifier: LGPL-2.1-or-later
// An element's running time and the wall clock, read together.
#pragma once

#include "common/gst_ref.h"
#include "core/base/time.h"

namespace jkvm {

/// What makes a running time of an element's clock. There is no clock before the first PLAYING, and
/// in a pipeline that was told to do without.
struct ElementClock {
    GstRef<GstClock> clock;
    GstClockTimeDiff base_time;
};

/// Both under one lock: asked one by one they are among the dearest things that an element does
/// with a buffer.
inline ElementClock clock_of(GstElement *element)
{
    GST_OBJECT_LOCK(element);
    ElementClock found{GstRef<GstClock>::share(GST_ELEMENT_CLOCK(element)), element->base_time};
    GST_OBJECT_UNLOCK(element);
    return found;
}

/// Negative before the pipeline's base time, which may lie ahead. Without a clock, the time is that
/// of the system's monotonic one.
inline nanoseconds running_now(GstElement *element)
{
    const auto of = clock_of(element);
    const GstClockTime now =
        of.clock ? gst_clock_get_time(of.clock.get()) : gst_util_get_timestamp();
    return nanoseconds(static_cast<GstClockTimeDiff>(now) - of.base_time);
}

inline ClockPair read_clocks(GstElement *element)
{
    const auto [running, wall] =
        read_together([element] { return running_now(element); }, [] { return wall_now(); });
    return {running, wall};
}

} // namespace jkvm
