// SPDX-License-Identifier: LGPL-2.1-or-later
// The properties that say how sound is coded, under opusenc's names.
#pragma once

#include "core/opus/codec_control.h"

#include <gst/gst.h>

namespace jkvm {

/// Their numbers begin here; an element's own are below.
inline constexpr guint first_codec_property = 100;

void install_codec_properties(GObjectClass *object_class);

/// False: there is no such property.
bool set_codec_property(CodecControl &control, guint id, const GValue *value);
bool get_codec_property(const CodecControl &control, guint id, GValue *value);

/// Tells the application of every property that differs. With no lock held.
void notify_codec_properties(GObject *object, const CodecControl &before,
                             const CodecControl &after);

} // namespace jkvm
