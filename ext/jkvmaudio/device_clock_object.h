// SPDX-License-Identifier: LGPL-2.1-or-later
// Offers the clock of an audio device to a pipeline.
#pragma once

#include "core/base/guarded.h"
#include "core/timing/device_clock.h"

#include <gst/gst.h>

#include <memory>

namespace jkvm {

using SharedDeviceClock = std::shared_ptr<Guarded<DeviceClock>>;

/// Returns a GstClock that shows the device's time (transfer full). It may outlive the element.
GstClock *make_clock_object(const SharedDeviceClock &device_clock);

} // namespace jkvm
