// SPDX-License-Identifier: LGPL-2.1-or-later
// Links an element with its installed documentation, for gst-inspect-1.0.
#pragma once

#include <gst/gst.h>

namespace jkvm {

/// Sets the class's documentation URI to the page of the element that is named after the type:
/// jkvmipcsink.md for GstJkvmIpcSink.
void set_documentation_uri(GstElementClass *klass);

} // namespace jkvm
