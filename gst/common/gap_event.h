// SPDX-License-Identifier: LGPL-2.1-or-later
// GAP events of a source: what they need besides the event.
#pragma once

#include "core/base/time.h"

#include <gst/base/base.h>

namespace jkvm {

/// Whether a SEGMENT was pushed since the start or the last flush.
[[nodiscard]] bool has_segment(GstBaseSrc *src);

/// Pushes a GAP event, after a SEGMENT if there was none. To be called by the streaming thread, in
/// create(); `start` is a timestamp, at least 0.
void push_gap(GstBaseSrc *src, nanoseconds start, nanoseconds duration);

} // namespace jkvm
