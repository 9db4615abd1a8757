// SPDX-License-Identifier: LGPL-2.1-or-later
#include "capture_properties.h"

namespace jkvm {

namespace {

using namespace std::chrono_literals;

OneOf slave_method_type()
{
    static const GEnumValue values[] = {
        {static_cast<int>(SlaveMethod::follow),
         "Timestamps follow the pipeline's clock by up to 2 ms per second", "skew"},
        {static_cast<int>(SlaveMethod::none), "Timestamps count samples only", "none"},
        {0, nullptr, nullptr},
    };
    static const GType type = register_enum("GstJkvmAudioSlaveMethod", values);
    return {type};
}

OneOf on_device_lost_type()
{
    static const GEnumValue values[] = {
        {static_cast<int>(OnDeviceLost::wait), "Output silence until a device works", "silence"},
        {static_cast<int>(OnDeviceLost::error), "Post an error and stop", "error"},
        {static_cast<int>(OnDeviceLost::eos), "Send EOS", "eos"},
        {0, nullptr, nullptr},
    };
    static const GType type = register_enum("GstJkvmAudioOnDeviceLost", values);
    return {type};
}

} // namespace

const PropertyTable<CaptureSettings> &capture_properties()
{
    static const auto table = PropertyTable<CaptureSettings>{}.include(
        device_properties(
            {.minimum_buffer_time = 40ms,
             .buffer_time_blurb =
                 "Size of the device's ring (us): how long the pipeline may be blocked before "
                 "samples are lost. Adds no latency. Grows up to 500000 after frequent overruns",
             .slave_method = slave_method_type(),
             .slave_method_blurb =
                 "How timestamps follow the pipeline's clock when the device's clock differs",
             .on_device_lost = on_device_lost_type()}),
        &CaptureSettings::device);
    return table;
}

} // namespace jkvm
