// SPDX-License-Identifier: LGPL-2.1-or-later
// Provides a clock for a receiver of frames that arrive faster than in real time.
#pragma once

#include "benchmarks/ipc/messages.h"
#include "common/gst_ref.h"

#include <gst/gst.h>

namespace jkvm::benchmark {

/// Returns a clock that advances by the duration of a frame with every message that the listener
/// receives, so that each frame arrives on time, however fast the frames arrive. The listener must
/// outlive the clock.
GstRef<GstClock> make_frame_clock(const Listener &listener);

} // namespace jkvm::benchmark
