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

} // namespace

const PropertyTable<PlaybackSettings> &playback_properties()
{
    using S = PlaybackSettings;
    static const PropertyTable<S> table{
        row("device", "Device",
            "ALSA name of the playback device, as listed by aplay -L, or the id or name of a card. "
            "Several names, separated by ';', are tried in this order",
            AnyValue{}, mutable_ready, &S::device),
        row("latency-time", "Latency time", "Period requested from the device (us)",
            between(1000us, 60000us), mutable_ready, &S::latency_time),
        row("buffer-time", "Buffer time",
            "Size of the device's ring (us). The ring is filled only as far as the measured delays "
            "require, half of it at most",
            between(100000us, 2000000us), mutable_ready, &S::buffer_time),
        row("on-device-lost", "On device lost", "What to do while no device works",
            OneOf{on_playback_lost_get_type()}, mutable_ready, &S::on_device_lost),
        row("mute", "Mute", "Whether to play silence", AnyValue{}, mutable_playing, &S::mute),
        row("volume", "Volume", "Linear volume factor; 1 = unchanged", between(0.0, 10.0),
            mutable_playing, &S::volume),
        row("priority", "Priority",
            "SCHED_FIFO priority requested for the device's thread. Without permission a nice "
            "value "
            "of -10 is requested instead. 0 = the default scheduling",
            between(0, 99), mutable_ready, &S::priority),
        stats_interval_row(&S::report_interval),
    };
    return table;
}

} // namespace jkvm
