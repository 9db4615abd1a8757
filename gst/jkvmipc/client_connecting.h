// SPDX-License-Identifier: LGPL-2.1-or-later
// The signal by which an application may refuse a client: both elements have it.
#pragma once

#include "core/ipc/socket/endpoint.h"

#include <gst/gst.h>

namespace jkvm {

/// Adds client-connecting to a class: (gint pid, guint uid) -> gboolean. The signal's id.
guint install_client_connecting(GObjectClass *klass);
/// Whether every handler agrees; without a handler the client is welcome. Blocks as long as they
/// take: no lock may be held.
bool is_client_welcome(GstElement *element, guint signal, const PeerInfo &client);

} // namespace jkvm
