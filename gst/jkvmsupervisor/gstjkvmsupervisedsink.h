// SPDX-License-Identifier: LGPL-2.1-or-later
// jkvmsupervisedsink: a sink that runs in a process of its own.
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_JKVM_SUPERVISED_SINK (gst_jkvm_supervised_sink_get_type())
G_DECLARE_FINAL_TYPE(GstJkvmSupervisedSink, gst_jkvm_supervised_sink, GST, JKVM_SUPERVISED_SINK,
                     GstBin)

G_END_DECLS
