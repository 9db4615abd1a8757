// SPDX-License-Identifier: LGPL-2.1-or-later
// The event by which an audio source describes its state to the elements downstream.
#pragma once

#include "common/fields.h"
#include "core/wire/source_state.h"

#include <gst/gst.h>

namespace jkvm {

/// The name of the event's structure, and of the message that jkvmipcsrc posts.
inline constexpr const char *source_state_name = "jkvm-source";

/// Returns the known ones of the fields device-state, reason, quality, frame-size and decided-by
/// (gchararray, nicks), muted and dtx (gboolean), bitrate (bit/s), complexity and
/// packet-loss-percentage (gint), listeners (guint). The encoder's settings are those of
/// jkvmaudiosrc's properties of the same name.
Fields source_state_fields(const wire::SourceState &state);

/// Makes a GST_EVENT_CUSTOM_DOWNSTREAM_STICKY with these fields.
GstEvent *make_source_state(const wire::SourceState &state);

[[nodiscard]] bool is_source_state(GstEvent *event);

/// A field that is missing, or has another type or an impossible value, is not known in the result;
/// unknown fields are ignored.
wire::SourceState parse_source_state(GstEvent *event);

} // namespace jkvm
