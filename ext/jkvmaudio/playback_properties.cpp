// SPDX-License-Identifier: LGPL-2.1-or-later
#include "playback_properties.h"

namespace jkvm {

namespace {

using namespace std::chrono_literals;

const GEnumValue slave_methods[] = {
    {static_cast<int>(SlaveMethod::follow),
     "Resample to the device's clock and to stretched timestamps", "resample"},
    {static_cast<int>(SlaveMethod::none),
     "Play samples unchanged; correct an error of more than 40 ms at once", "none"},
    {0, nullptr, nullptr},
};

const GEnumValue device_lost_actions[] = {
    {static_cast<int>(OnDeviceLost::wait), "Discard audio until a device works", "discard"},
    {static_cast<int>(OnDeviceLost::error), "Post an error and stop", "error"},
    {static_cast<int>(OnDeviceLost::eos), "End the stream", "eos"},
    {0, nullptr, nullptr},
};

const GEnumValue pitch_control_modes[] = {
    {static_cast<int>(UsePitchControl::automatic),
     "Set the device's control Playback Pitch 1000000 where it exists, instead of resampling",
     "auto"},
    {static_cast<int>(UsePitchControl::never), "Always resample", "never"},
    {0, nullptr, nullptr},
};

} // namespace

const PropertyTable<PlaybackSettings> &playback_properties()
{
    using S = PlaybackSettings;
    static const auto table =
        PropertyTable<S>{
            row("pitch-control", "Pitch control",
                "Whether slave-method=resample may set the speed of a USB gadget instead",
                OneOf{register_enum("GstJkvmAudioSinkPitchControl", pitch_control_modes)},
                mutable_ready, &S::pitch_control),
        }
            .include(latency_properties(), &S::latency)
            .include(
                device_properties(
                    {.minimum_buffer_time = 100ms,
                     .buffer_time_blurb =
                         "Size of the device's ring (us). The ring is filled only as far as the "
                         "measured delays require, half of it at most",
                     .slave_method =
                         OneOf{register_enum("GstJkvmAudioSinkSlaveMethod", slave_methods)},
                     .slave_method_blurb =
                         "How playback follows the pipeline's clock when the device's clock "
                         "differs",
                     .on_device_lost = OneOf{register_enum("GstJkvmAudioSinkOnDeviceLost",
                                                           device_lost_actions)}}),
                &S::device);
    return table;
}

} // namespace jkvm
