// SPDX-License-Identifier: LGPL-2.1-or-later
// The properties that jkvmaudiosrc and jkvmaudiosink share.
#pragma once

#include "common/stats_report.h"
#include "common/stream_priority.h"

#include <string>

namespace jkvm {

struct DeviceSettings {
    std::string device = "hw:0,0";
    nanoseconds latency_time = std::chrono::milliseconds(10);
    bool provide_clock = false;
    bool mute = false;
    double volume = 1;
    int priority = default_priority;
    nanoseconds report_interval = StatsReport::default_interval;

    /// Factor of the samples, from mute and volume.
    [[nodiscard]] double gain() const { return mute ? 0 : volume; }
};

const PropertyTable<DeviceSettings> &device_properties();

/// Makes GStreamer ask the element for a clock, or not: it asks only elements with that flag.
void set_provides_clock(GstElement *element, bool provides_clock);

/// The read-only properties of an Owner; `actual_time` returns a member of the format that the open
/// device granted, in microseconds, and `stats` a structure (transfer full).
template <typename Owner>
PropertyTable<Owner> live_device_properties(gint64 (Owner::*buffer_time)() const,
                                            gint64 (Owner::*latency_time)() const,
                                            GstStructure *(Owner::*stats)() const)
{
    constexpr Range<gint64> any_time{0, G_MAXINT64};
    return {
        computed<Owner>("actual-buffer-time", "Actual buffer time",
                        "Size of the ring that the device granted (us); 0 while no device is open",
                        any_time, buffer_time),
        computed<Owner>("actual-latency-time", "Actual latency time",
                        "Period that the device granted (us); 0 while no device is open", any_time,
                        latency_time),
        computed<Owner>("stats", "Statistics", "Counters, and times in nanoseconds", AnyValue{},
                        stats),
    };
}

} // namespace jkvm
