// SPDX-License-Identifier: LGPL-2.1-or-later
#include "capture_properties.h"

namespace jkvm {

namespace {

using namespace std::chrono_literals;

const GEnumValue slave_methods[] = {
    {static_cast<int>(SlaveMethod::follow),
     "Timestamps follow the pipeline's clock by up to 2 ms per second", "skew"},
    {static_cast<int>(SlaveMethod::none), "Timestamps count samples only", "none"},
    {0, nullptr, nullptr},
};

const GEnumValue device_lost_actions[] = {
    {static_cast<int>(OnDeviceLost::wait), "Output silence until a device works", "silence"},
    {static_cast<int>(OnDeviceLost::error), "Post an error and stop", "error"},
    {static_cast<int>(OnDeviceLost::eos), "Send EOS", "eos"},
    {0, nullptr, nullptr},
};

const GEnumValue activities[] = {
    {static_cast<int>(Activity::idle), "Read the device, but neither encode nor push frames",
     "idle"},
    {static_cast<int>(Activity::encode), "Encode and push frames", "encode"},
    {static_cast<int>(Activity::release_device),
     "Close the device, so that another program can open it", "release-device"},
    {0, nullptr, nullptr},
};

} // namespace

const PropertyTable<CaptureSettings> &capture_properties()
{
    static const auto table =
        PropertyTable<CaptureSettings>{
            row("when-unheard", "When unheard",
                "What to do while every data path downstream ends in a jkvmipcsink without "
                "listeners",
                OneOf{register_enum("GstJkvmAudioSrcActivity", activities)}, mutable_playing,
                &CaptureSettings::when_unheard)}
            .include(level_properties(), &CaptureSettings::level)
            .include(
                device_properties(
                    {.minimum_buffer_time = 40ms,
                     .buffer_time_blurb = "Size of the device's ring (us): how long the pipeline "
                                          "may be blocked before "
                                          "samples are lost. Adds no latency. Grows up to 500000 "
                                          "after frequent overruns",
                     .slave_method = OneOf{register_enum("GstJkvmAudioSlaveMethod", slave_methods)},
                     .slave_method_blurb = "How timestamps follow the pipeline's clock when the "
                                           "device's clock differs",
                     .on_device_lost =
                         OneOf{register_enum("GstJkvmAudioOnDeviceLost", device_lost_actions)}}),
                &CaptureSettings::device);
    return table;
}

} // namespace jkvm
