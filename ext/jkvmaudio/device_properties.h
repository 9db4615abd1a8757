// SPDX-License-Identifier: LGPL-2.1-or-later
// The properties that jkvmaudiosrc and jkvmaudiosink share.
#pragma once

#include "common/stats_report.h"
#include "common/stream_priority.h"

#include <string>

namespace jkvm {

/// How the pipeline's clock is followed when the device's clock differs.
enum class SlaveMethod {
    follow, ///< capture: by the timestamps; playback: by resampling
    none,
};

/// The reaction of an element that has no working device.
enum class OnDeviceLost {
    wait, ///< capture: outputs silence; playback: discards audio
    error,
    eos,
};

struct DeviceSettings {
    std::string device = "hw:0,0";
    nanoseconds buffer_time{0};
    nanoseconds latency_time = std::chrono::milliseconds(10);
    SlaveMethod slave_method = SlaveMethod::follow;
    OnDeviceLost on_device_lost = OnDeviceLost::wait;
    bool provide_clock = false;
    bool mute = false;
    double volume = 1;
    int priority = default_priority;
    nanoseconds report_interval = StatsReport::default_interval;

    /// Factor of the samples, from mute and volume.
    [[nodiscard]] double gain() const { return mute ? 0 : volume; }
};

/// The parts of these properties that depend on the direction.
struct DirectionTraits {
    std::chrono::microseconds minimum_buffer_time;
    const char *buffer_time_blurb;
    OneOf slave_method; ///< of SlaveMethod
    const char *slave_method_blurb;
    OneOf on_device_lost; ///< of OnDeviceLost
};

PropertyTable<DeviceSettings> device_properties(const DirectionTraits &traits);

/// Makes GStreamer ask the element for a clock, or not: it asks only elements with that flag.
void set_provides_clock(GstElement *element, bool provides_clock);

/// The read-only properties of an Owner. `buffer_time` and `latency_time` return microseconds;
/// `stats` returns a structure (transfer full).
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
