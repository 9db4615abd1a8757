// SPDX-License-Identifier: LGPL-2.1-or-later
// Reads an element's running time together with the wall clock.
#pragma once

#include "common/gst_ref.h"
#include "core/base/time.h"

namespace jkvm {

/// An element's clock and base time. The clock is null before the first PLAYING and in a pipeline
/// without one.
struct ElementClock {
    GstRef<GstClock> clock;
    GstClockTimeDiff base_time;
};

/// Reads both under one lock: two separate calls would be among the most expensive steps of
/// handling a buffer.
inline ElementClock clock_of(GstElement *element)
{
    GST_OBJECT_LOCK(element);
    ElementClock result{GstRef<GstClock>::share(GST_ELEMENT_CLOCK(element)), element->base_time};
    GST_OBJECT_UNLOCK(element);
    return result;
}

/// Returns the running time, negative before the base time. Without a clock, the system's monotonic
/// clock is used.
inline nanoseconds running_now(GstElement *element)
{
    const auto of = clock_of(element);
    const GstClockTime now =
        of.clock ? gst_clock_get_time(of.clock.get()) : gst_util_get_timestamp();
    return nanoseconds(static_cast<GstClockTimeDiff>(now) - of.base_time);
}

/// Returns the running time and the wall-clock time of the same instant.
inline ClockPair read_clocks(GstElement *element)
{
    const auto [running, wall] =
        read_together([element] { return running_now(element); }, [] { return wall_now(); });
    return {running, wall};
}

} // namespace jkvm
