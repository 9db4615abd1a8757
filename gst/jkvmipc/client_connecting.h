// SPDX-License-Identifier: LGPL-2.1-or-later
// The signal client-connecting of both elements, by which an application may refuse a client.
#pragma once

#include "core/ipc/socket/endpoint.h"

#include <gst/gst.h>

namespace jkvm {

/// Adds client-connecting (gint pid, guint uid) -> gboolean to a class. Returns the signal's id.
guint install_client_connecting(GObjectClass *klass);
/// Emits the signal. Returns whether every handler returned TRUE; accepts the client if there is no
/// handler.
/// Must be called without a lock, because the handlers may block.
bool is_client_welcome(GstElement *element, guint signal, const PeerInfo &client);

} // namespace jkvm
