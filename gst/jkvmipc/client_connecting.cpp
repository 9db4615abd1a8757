// SPDX-License-Identifier: LGPL-2.1-or-later
#include "client_connecting.h"

namespace jkvm {

namespace {

/// Stops at the first handler that returns FALSE.
gboolean all_must_agree(GSignalInvocationHint *, GValue *result, const GValue *answer, gpointer)
{
    g_value_copy(answer, result);
    return g_value_get_boolean(answer);
}

} // namespace

guint install_client_connecting(GObjectClass *klass)
{
    return g_signal_new("client-connecting", G_TYPE_FROM_CLASS(klass), G_SIGNAL_RUN_LAST, 0,
                        all_must_agree, nullptr, nullptr, G_TYPE_BOOLEAN, 2, G_TYPE_INT,
                        G_TYPE_UINT);
}

bool is_client_welcome(GstElement *element, guint signal, const PeerInfo &client)
{
    // The result if no handler is connected.
    gboolean is_welcome = TRUE;
    if (g_signal_has_handler_pending(element, signal, 0, FALSE))
        g_signal_emit(element, signal, 0, static_cast<gint>(client.pid),
                      static_cast<guint>(client.uid), &is_welcome);
    return is_welcome != FALSE;
}

} // namespace jkvm
