// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * plugin-jkvmipc:
 *
 * Elements that speak the JetKVM audio protocol over Unix sockets.
 *
 * Since: 0.1
 */
#include "gstjkvmipcsink.h"
#include "gstjkvmipcsrc.h"
#include "ipc_uri.h"

static gboolean plugin_init(GstPlugin *plugin)
{
    jkvm::add_uri_handler(GST_TYPE_JKVM_IPC_SINK);
    jkvm::add_uri_handler(GST_TYPE_JKVM_IPC_SRC);
    return gst_element_register(plugin, "jkvmipcsink", GST_RANK_NONE, GST_TYPE_JKVM_IPC_SINK) &&
           gst_element_register(plugin, "jkvmipcsrc", GST_RANK_NONE, GST_TYPE_JKVM_IPC_SRC);
}

#define PACKAGE "jkvm"
GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, jkvmipc,
                  "Opus frames over the JetKVM audio protocol", plugin_init, PACKAGE_VERSION,
                  "LGPL", "jkvm", "Unknown package origin")
