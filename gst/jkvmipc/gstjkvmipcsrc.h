// SPDX-License-Identifier: LGPL-2.1-or-later
// jkvmipcsrc: receives Opus frames from a JetKVM audio socket.
#pragma once

#include <gst/base/gstpushsrc.h>

G_BEGIN_DECLS

#define GST_TYPE_JKVM_IPC_SRC (gst_jkvm_ipc_src_get_type())
G_DECLARE_FINAL_TYPE(GstJkvmIpcSrc, gst_jkvm_ipc_src, GST, JKVM_IPC_SRC, GstPushSrc)

G_END_DECLS
