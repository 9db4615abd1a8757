// SPDX-License-Identifier: LGPL-2.1-or-later
// Implements jkvm:// URIs, which hold the properties of the IPC elements in one string.
#pragma once

#include <gst/gst.h>

namespace jkvm {

/// Makes the element type a GstURIHandler for
///
///     jkvm:///PATH?PROPERTY=VALUE&...
///
/// where PATH is that of the socket, percent-encoded ("/@NAME" for the abstract socket @NAME; empty
/// for the default path; a relative path directly follows "jkvm:"), and each PROPERTY is one of the
/// element's own that can be set in READY. To be called before the type is used.
void add_uri_handler(GType element_type);

} // namespace jkvm
