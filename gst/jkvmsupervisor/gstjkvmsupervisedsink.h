// SPDX-License-Identifier: LGPL-2.1-or-later
// GObject type of jkvmsupervisedsink, which runs a sink in a worker process.
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_JKVM_SUPERVISED_SINK (gst_jkvm_supervised_sink_get_type())
G_DECLARE_FINAL_TYPE(GstJkvmSupervisedSink, gst_jkvm_supervised_sink, GST, JKVM_SUPERVISED_SINK,
                     GstBin)

/* Must be called before the first use of the type. */
void gst_jkvm_supervised_sink_add_interfaces(void);

G_END_DECLS
