// SPDX-License-Identifier: LGPL-2.1-or-later
#include "device_properties.h"

namespace jkvm {

using namespace std::chrono_literals;

PropertyTable<DeviceSettings> device_properties(const DirectionTraits &traits)
{
    using S = DeviceSettings;
    return {
        row("device", "Device",
            "ALSA name of the device, as listed by arecord -L or aplay -L, or the id or name of a "
            "card. Several names, separated by ';', are tried in this order",
            AnyValue{}, mutable_playing, &S::device),
        row("buffer-time", "Buffer time", traits.buffer_time_blurb,
            between(traits.minimum_buffer_time, 2000000us), mutable_ready, &S::buffer_time),
        row("latency-time", "Latency time",
            "Maximum period requested from the device (us); jkvmaudiosrc requests a shorter one "
            "for shorter frames",
            between(1000us, 60000us), mutable_ready, &S::latency_time),
        row("slave-method", "Slave method", traits.slave_method_blurb, traits.slave_method,
            mutable_ready, &S::slave_method),
        row("on-device-lost", "On device lost", "What to do while no device works",
            traits.on_device_lost, mutable_ready, &S::on_device_lost),
        row("provide-clock", "Provide clock", "Whether to offer the device's clock to the pipeline",
            AnyValue{}, mutable_ready, &S::provide_clock),
        row("mute", "Mute", "Whether to replace the audio by silence", AnyValue{}, mutable_playing,
            &S::mute),
        row("volume", "Volume", "Linear volume factor; 1 = unchanged", between(0.0, 10.0),
            controllable, &S::volume),
        priority_row(&S::priority),
        stats_interval_row(&S::report_interval),
    };
}

void set_provides_clock(GstElement *element, bool provides_clock)
{
    if (provides_clock)
        GST_OBJECT_FLAG_SET(element, GST_ELEMENT_FLAG_PROVIDE_CLOCK);
    else
        GST_OBJECT_FLAG_UNSET(element, GST_ELEMENT_FLAG_PROVIDE_CLOCK);
}

} // namespace jkvm
