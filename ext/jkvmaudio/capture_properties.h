// SPDX-License-Identifier: LGPL-2.1-or-later
// The properties of jkvmaudiosrc that select and configure the device.
#pragma once

#include "device_properties.h"

namespace jkvm {

enum class SlaveMethod { skew, none };
enum class OnDeviceLost { silence, error, eos };

struct CaptureSettings {
    DeviceSettings device;
    nanoseconds buffer_time = std::chrono::milliseconds(500);
    SlaveMethod slave_method = SlaveMethod::skew;
    OnDeviceLost on_device_lost = OnDeviceLost::silence;
};

const PropertyTable<CaptureSettings> &capture_properties();

} // namespace jkvm
