// SPDX-License-Identifier: LGPL-2.1-or-later
// A GstDevice that represents an ALSA device and creates the element for it.
#pragma once

#include "core/device/audio_device.h"

#include <gst/gst.h>

namespace jkvm {

/// Returns a GstDevice (floating). Its element is jkvmaudiosrc or jkvmaudiosink.
GstDevice *make_device_object(const AudioDevice &device);

} // namespace jkvm
