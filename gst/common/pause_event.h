// SPDX-License-Identifier: LGPL-2.1-or-later
// The event that tells jkvmipcsrc of a GAP event at the sender, for which the protocol has no
// message.
#pragma once

#include "core/ipc/receive/received_stream.h"

#include <gst/gst.h>

#include <optional>

namespace jkvm {

inline constexpr const char *pause_name = "jkvm-pause";

/// Makes a GST_EVENT_CUSTOM_UPSTREAM. The times are wall-clock times, as in the protocol.
inline GstEvent *make_pause(const Pause &pause)
{
    const auto nanoseconds_of = [](WallTime time) {
        return static_cast<gint64>(time.time_since_epoch().count());
    };
    return gst_event_new_custom(GST_EVENT_CUSTOM_UPSTREAM,
                                gst_structure_new(pause_name, "start", G_TYPE_INT64,
                                                  nanoseconds_of(pause.start), "end", G_TYPE_INT64,
                                                  nanoseconds_of(pause.end), nullptr));
}

/// Returns nothing if it is another event.
inline std::optional<Pause> parse_pause(GstEvent *event)
{
    gint64 start = 0;
    gint64 end = 0;
    if (GST_EVENT_TYPE(event) != GST_EVENT_CUSTOM_UPSTREAM ||
        !gst_event_has_name(event, pause_name) ||
        !gst_structure_get_int64(gst_event_get_structure(event), "start", &start) ||
        !gst_structure_get_int64(gst_event_get_structure(event), "end", &end))
        return std::nullopt;
    return Pause{WallTime(nanoseconds(start)), WallTime(nanoseconds(end))};
}

} // namespace jkvm
