// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * plugin-jkvmsupervisor:
 *
 * Bins that run a part of the pipeline in a worker process, and restart it when it fails.
 *
 * Since: 0.1
 */
#include "gstjkvmsupervisedsink.h"
#include "gstjkvmsupervisedsrc.h"

static gboolean plugin_init(GstPlugin *plugin)
{
    gst_jkvm_supervised_sink_add_interfaces();
    gst_jkvm_supervised_src_add_interfaces();
    return gst_element_register(plugin, "jkvmsupervisedsink", GST_RANK_NONE,
                                GST_TYPE_JKVM_SUPERVISED_SINK) &&
           gst_element_register(plugin, "jkvmsupervisedsrc", GST_RANK_NONE,
                                GST_TYPE_JKVM_SUPERVISED_SRC);
}

#define PACKAGE "jkvm"
GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, jkvmsupervisor,
                  "Runs parts of a pipeline in supervised worker processes", plugin_init,
                  PACKAGE_VERSION, "LGPL", "jkvm", "Unknown package origin")
