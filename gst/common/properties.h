// SPDX-License-Identifier: LGPL-2.1-or-later
// What this project's properties are made with: flags that say when one may be changed, and enums.
#pragma once

#include <gst/gst.h>

namespace jkvm {

inline constexpr auto read_only =
    static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
/// Takes effect at the next start: READY to PAUSED.
inline constexpr auto mutable_ready =
    static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY);
/// Takes effect at once.
inline constexpr auto mutable_playing = static_cast<GParamFlags>(
    G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING);

/// The type of an enum property, part of the plugin's documented surface. Registers it: to be
/// called once, with values that live as long as the process.
inline GType register_enum(const char *name, const GEnumValue *values)
{
    const GType type = g_enum_register_static(name, values);
    gst_type_mark_as_plugin_api(type, static_cast<GstPluginAPIFlags>(0));
    return type;
}

} // namespace jkvm
