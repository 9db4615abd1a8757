// SPDX-License-Identifier: LGPL-2.1-or-later
#include "capture_properties.h"

namespace jkvm {

namespace {

using namespace std::chrono_literals;

GType slave_method_get_type()
{
    static const GEnumValue values[] = {
        {static_cast<int>(SlaveMethod::skew),
         "Timestamps follow the pipeline's clock by up to 2 ms per second", "skew"},
        {static_cast<int>(SlaveMethod::none), "Timestamps count samples only", "none"},
        {0, nullptr, nullptr},
    };
    static const GType type = register_enum("GstJkvmAudioSlaveMethod", values);
    return type;
}

GType on_device_lost_get_type()
{
    static const GEnumValue values[] = {
        {static_cast<int>(OnDeviceLost::silence), "Output silence until a device works", "silence"},
        {static_cast<int>(OnDeviceLost::error), "Post an error and stop", "error"},
        {static_cast<int>(OnDeviceLost::eos), "Send EOS", "eos"},
        {0, nullptr, nullptr},
    };
    static const GType type = register_enum("GstJkvmAudioOnDeviceLost", values);
    return type;
}

} // namespace

const PropertyTable<CaptureSettings> &capture_properties()
{
    using S = CaptureSettings;
    static const PropertyTable<S> table{
        row("device", "Device",
            "ALSA name of the capture device, as listed by arecord -L, or the id or name of a "
            "card. Several names, separated by ';', are tried in this order",
            AnyValue{}, mutable_ready, &S::device),
        row("latency-time", "Latency time",
            "Maximum period requested from the device (us); a shorter frame requests a shorter "
            "period",
            between(1000us, 60000us), mutable_ready, &S::latency_time),
        row("buffer-time", "Buffer time",
            "Size of the device's ring (us): how long the pipeline may be blocked before samples "
            "are lost. Adds no latency. Grows up to 500000 after frequent overruns",
            between(40000us, 2000000us), mutable_ready, &S::buffer_time),
        row("provide-clock", "Provide clock", "Whether to offer the device's clock to the pipeline",
            AnyValue{}, mutable_ready, &S::provide_clock),
        row("slave-method", "Slave method",
            "How timestamps follow the pipeline's clock when the device's clock differs",
            OneOf{slave_method_get_type()}, mutable_ready, &S::slave_method),
        row("on-device-lost", "On device lost", "What to do while no device works",
            OneOf{on_device_lost_get_type()}, mutable_ready, &S::on_device_lost),
        row("mute", "Mute", "Whether to replace the audio by silence", AnyValue{}, mutable_playing,
            &S::mute),
        row("volume", "Volume", "Linear volume factor; 1 = unchanged", between(0.0, 10.0),
            mutable_playing, &S::volume),
        row("priority", "Priority",
            "SCHED_FIFO priority requested for the streaming thread. Without permission a nice "
            "value of -10 is requested instead. 0 = the default scheduling",
            between(0, 99), mutable_ready, &S::priority),
        stats_interval_row(&S::report_interval),
    };
    return table;
}

} // namespace jkvm
