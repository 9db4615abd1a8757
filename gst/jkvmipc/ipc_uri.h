// SPDX-License-Identifier: LGPL-2.1-or-later
// jkvm:// URIs, which say in one string what the IPC elements' properties say.
#pragma once

#include <gst/gst.h>

namespace jkvm {

/// Makes the element type a GstURIHandler for
///
///     jkvm:///PATH?PROPERTY=VALUE&...
///
/// where PATH is the socket's, percent-encoded where it has to be ("/@NAME" for the abstract socket
/// @NAME; nothing for the default path; a relative path stands right behind "jkvm:"), and each
/// PROPERTY is one of the element's own that may be set in READY. To be called before the type is
/// used.
void add_uri_handler(GType element_type);

} // namespace jkvm
