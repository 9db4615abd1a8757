// SPDX-License-Identifier: LGPL-2.1-or-later
// The properties of jkvmaudiosrc that select and configure the device.
#pragma once

#include "capture/activity.h"
#include "capture/level_messages.h"
#include "device_properties.h"

namespace jkvm {

struct CaptureSettings {
    Activity when_unheard = Activity::idle;
    LevelSettings level;
    DeviceSettings device{.buffer_time = std::chrono::milliseconds(500)};
};

const PropertyTable<CaptureSettings> &capture_properties();

} // namespace jkvm
