// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * plugin-jkvmmetrics:
 *
 * A tracer that serves the statistics of jkvm elements to Prometheus.
 *
 * Since: 0.1
 */
#include "gstjkvmmetrics.h"

static gboolean plugin_init(GstPlugin *plugin)
{
    return gst_tracer_register(plugin, "jkvmmetrics", GST_TYPE_JKVM_METRICS);
}

#define PACKAGE "jkvm"
GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, jkvmmetrics,
                  "Serves statistics of JetKVM audio elements to Prometheus", plugin_init,
                  PACKAGE_VERSION, "LGPL", "jkvm", "Unknown package origin")
