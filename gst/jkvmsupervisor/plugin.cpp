// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * plugin-jkvmsupervisor:
 *
 * Bins that run a part of the pipeline in a process of its own, and keep that running.
 *
 * Since: 0.1
 */
#include "gstjkvmsupervisedsink.h"
#include "gstjkvmsupervisedsrc.h"

static gboolean plugin_init(GstPlugin *plugin)
{
    return gst_element_register(plugin, "jkvmsupervisedsink", GST_RANK_NONE,
                                GST_TYPE_JKVM_SUPERVISED_SINK) &&
           gst_element_register(plugin, "jkvmsupervisedsrc", GST_RANK_NONE,
                                GST_TYPE_JKVM_SUPERVISED_SRC);
}

#define PACKAGE "jkvm"
GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, jkvmsupervisor,
                  "Parts of a pipeline in processes of their own", plugin_init, PACKAGE_VERSION,
                  "LGPL", "jkvm", "Unknown package origin")
