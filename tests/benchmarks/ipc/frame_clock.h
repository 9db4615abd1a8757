// SPDX-License-Identifier: LGPL-2.1-or-later
// A clock for a receiver that gets frames faster than they would sound.
#pragma once

#include "benchmarks/ipc/messages.h"
#include "common/gst_ref.h"

#include <gst/gst.h>

namespace jkvm::benchmark {

/// With every message that the listener takes, the duration of a frame has passed. So each frame
/// arrives when it should, however fast they come, and none is too early or too late for its place
/// in time. The listener outlives the clock.
GstRef<GstClock> make_frame_clock(const Listener &listener);

} // namespace jkvm::benchmark
