// SPDX-License-Identifier: LGPL-2.1-or-later
#include "playback_properties.h"

namespace jkvm {

namespace {

using namespace std::chrono_literals;

GType on_playback_lost_get_type()
{
    static const GEnumValue values[] = {
        {static_cast<int>(OnPlaybackLost::discard), "Discard audio until a device works",
         "discard"},
        {static_cast<int>(OnPlaybackLost::error), "Post an error and stop", "error"},
        {static_cast<int>(OnPlaybackLost::eos), "End the stream", "eos"},
        {0, nullptr, nullptr},
    };
    static const GType type = register_enum("GstJkvmAudioSinkOnDeviceLost", values);
    return type;
}

GType playback_slave_method_get_type()
{
    static const GEnumValue values[] = {
        {static_cast<int>(PlaybackSlaveMethod::resample),
         "Resample to the device's clock and to stretched timestamps", "resample"},
        {static_cast<int>(PlaybackSlaveMethod::none),
         "Play samples unchanged; correct an error of more than 40 ms at once", "none"},
        {0, nullptr, nullptr},
    };
    static const GType type = register_enum("GstJkvmAudioSinkSlaveMethod", values);
    return type;
}

GType pitch_control_get_type()
{
    static const GEnumValue values[] = {
        {static_cast<int>(UsePitchControl::automatic),
         "Set the device's control Playback Pitch 1000000 where it exists, instead of resampling",
         "auto"},
        {static_cast<int>(UsePitchControl::never), "Always resample", "never"},
        {0, nullptr, nullptr},
    };
    static const GType type = register_enum("GstJkvmAudioSinkPitchControl", values);
    return type;
}

} // namespace

const PropertyTable<PlaybackSettings> &playback_properties()
{
    using S = PlaybackSettings;
    static const auto table =
        PropertyTable<S>{
            row("buffer-time", "Buffer time",
                "Size of the device's ring (us). The ring is filled only as far as the measured "
                "delays require, half of it at most",
                between(100000us, 2000000us), mutable_ready, &S::buffer_time),
            row("slave-method", "Slave method",
                "How playback follows the pipeline's clock when the device's clock differs",
                OneOf{playback_slave_method_get_type()}, mutable_ready, &S::slave_method),
            row("pitch-control", "Pitch control",
                "Whether slave-method=resample may set the speed of a USB gadget instead",
                OneOf{pitch_control_get_type()}, mutable_ready, &S::pitch_control),
            row("on-device-lost", "On device lost", "What to do while no device works",
                OneOf{on_playback_lost_get_type()}, mutable_ready, &S::on_device_lost),
        }
            .include(device_properties(), &S::device);
    return table;
}

} // namespace jkvm
