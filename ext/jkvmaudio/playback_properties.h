// SPDX-License-Identifier: LGPL-2.1-or-later
// The properties of jkvmaudiosink.
#pragma once

#include "common/latency_message.h"
#include "device_properties.h"

namespace jkvm {

enum class UsePitchControl { automatic, never };

struct PlaybackSettings {
    DeviceSettings device{.buffer_time = std::chrono::milliseconds(200)};
    UsePitchControl pitch_control = UsePitchControl::automatic;
    LatencyThresholds latency;
};

const PropertyTable<PlaybackSettings> &playback_properties();

} // namespace jkvm
