// SPDX-License-Identifier: LGPL-2.1-or-later
// The query by which an element finds out whether the sink downstream follows stretched timestamps.
#pragma once

#include <gst/gst.h>

namespace jkvm {

/// Whether the path behind `src` has no branches, contains only elements that keep timestamps, and
/// ends in a sink that answers the query jkvm-follows-timestamps with TRUE.
/// docs/internals/adaptive.md describes the query. Must be called without a lock.
[[nodiscard]] bool sink_follows_timestamps(GstPad *src);

/// Answers the query jkvm-follows-timestamps. Returns false if it is another one.
[[nodiscard]] bool answer_timestamp_following(GstQuery *query, bool follows);

} // namespace jkvm
