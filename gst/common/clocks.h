// SPDX-License-Identifier: LGPL-2.1-or-later
// An element's running time and the wall clock, read together.
#pragma once

#include "common/gst_ref.h"
#include "core/base/time.h"

namespace jkvm {

/// The running time is negative before the pipeline's base time, which may lie ahead. A pipeline
/// that was told to do without a clock gets the system's monotonic one.
inline ClockPair read_clocks(GstElement *element)
{
    const auto clock = GstRef<GstClock>::adopt(gst_element_get_clock(element));
    const GstClockTime now = clock ? gst_clock_get_time(clock.get()) : gst_util_get_timestamp();
    const auto running = GST_CLOCK_DIFF(gst_element_get_base_time(element), now);
    return ClockPair{nanoseconds(running), wall_now()};
}

} // namespace jkvm
