// SPDX-License-Identifier: LGPL-2.1-or-later
// jkvmipcsink: serves Opus frames to every client of a JetKVM audio socket.
#pragma once

#include <gst/base/gstbasesink.h>

G_BEGIN_DECLS

#define GST_TYPE_JKVM_IPC_SINK (gst_jkvm_ipc_sink_get_type())
G_DECLARE_FINAL_TYPE(GstJkvmIpcSink, gst_jkvm_ipc_sink, GST, JKVM_IPC_SINK, GstBaseSink)

G_END_DECLS
