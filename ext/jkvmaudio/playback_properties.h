// SPDX-License-Identifier: LGPL-2.1-or-later
// The properties of jkvmaudiosink.
#pragma once

#include "device_properties.h"

namespace jkvm {

enum class OnPlaybackLost { discard, error, eos };
enum class PlaybackSlaveMethod { resample, none };
enum class UsePitchControl { automatic, never };

struct PlaybackSettings {
    DeviceSettings device;
    nanoseconds buffer_time = std::chrono::milliseconds(200);
    PlaybackSlaveMethod slave_method = PlaybackSlaveMethod::resample;
    UsePitchControl pitch_control = UsePitchControl::automatic;
    OnPlaybackLost on_device_lost = OnPlaybackLost::discard;
};

const PropertyTable<PlaybackSettings> &playback_properties();

} // namespace jkvm
