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
    static const auto table =
        PropertyTable<S>{
            row("buffer-time", "Buffer time",
                "Size of the device's ring (us): how long the pipeline may be blocked before "
                "samples are lost. Adds no latency. Grows up to 500000 after frequent overruns",
                between(40000us, 2000000us), mutable_ready, &S::buffer_time),
            row("slave-method", "Slave method",
                "How timestamps follow the pipeline's clock when the device's clock differs",
                OneOf{slave_method_get_type()}, mutable_ready, &S::slave_method),
            row("on-device-lost", "On device lost", "What to do while no device works",
                OneOf{on_device_lost_get_type()}, mutable_ready, &S::on_device_lost),
        }
            .include(device_properties(), &S::device);
    return table;
}

} // namespace jkvm
