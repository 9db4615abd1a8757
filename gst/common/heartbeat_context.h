// SPDX-License-Identifier: LGPL-2.1-or-later
// The GstContext by which a program that watches a pipeline for hangs requests signs of life from
// sources that are idle.
#pragma once

#include "core/base/time.h"

#include <gst/gst.h>

#include <algorithm>
#include <optional>

namespace jkvm {

inline constexpr const char *heartbeat_context_type = "jkvm.heartbeat";

/// `interval`: maximum time between the buffers and GAP events of a source. The context has to be
/// set on the pipeline before it starts.
inline void set_heartbeat_context(GstElement *pipeline, nanoseconds interval)
{
    auto *context = gst_context_new(heartbeat_context_type, FALSE);
    gst_structure_set(gst_context_writable_structure(context), "interval", G_TYPE_UINT64,
                      static_cast<guint64>(interval.count()), nullptr);
    gst_element_set_context(pipeline, context);
    gst_context_unref(context);
}

/// Returns the interval that was requested from the element, if it is watched.
inline std::optional<nanoseconds> heartbeat_interval(GstElement *element)
{
    auto *context = gst_element_get_context(element, heartbeat_context_type);
    if (context == nullptr)
        return std::nullopt;
    guint64 interval = 0;
    const bool is_valid = gst_structure_get_uint64(gst_context_get_structure(context), "interval",
                                                   &interval) != FALSE;
    gst_context_unref(context);
    constexpr guint64 maximum = nanoseconds(std::chrono::hours(24)).count();
    return is_valid && interval > 0 ? std::optional(nanoseconds(std::min(interval, maximum)))
                                    : std::nullopt;
}

} // namespace jkvm
