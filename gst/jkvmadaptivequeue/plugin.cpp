// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * plugin-jkvmadaptivequeue:
 *
 * A queue for Opus packets with a playout delay that adapts to the measured jitter.
 *
 * Since: 0.1
 */
#include "gstjkvmadaptivequeue.h"

static gboolean plugin_init(GstPlugin *plugin)
{
    return gst_element_register(plugin, "jkvmadaptivequeue", GST_RANK_NONE,
                                GST_TYPE_JKVM_ADAPTIVE_QUEUE);
}

#define PACKAGE "jkvm"
GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, jkvmadaptivequeue,
                  "Packet queue with a playout delay that adapts to jitter", plugin_init,
                  PACKAGE_VERSION, "LGPL", "jkvm", "Unknown package origin")
