// SPDX-License-Identifier: LGPL-2.1-or-later
// The flags that this project's properties have: each says when it may be changed.
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

} // namespace jkvm
