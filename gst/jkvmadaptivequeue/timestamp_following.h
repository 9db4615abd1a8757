// SPDX-License-Identifier: LGPL-2.1-or-later
// Queries whether the sink downstream of a pad follows stretched timestamps.
#pragma once

#include <gst/gst.h>

namespace jkvm {

/// Whether the path behind `src` has no branches, contains only elements that keep timestamps, and
/// ends in a sink that answers the query jkvm-follows-timestamps with TRUE.
/// docs/internals/adaptive.md describes the query. Must be called without a lock.
[[nodiscard]] bool sink_follows_timestamps(GstPad *src);

} // namespace jkvm
