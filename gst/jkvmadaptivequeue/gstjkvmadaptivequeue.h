// SPDX-License-Identifier: LGPL-2.1-or-later
// jkvmadaptivequeue: a queue of packets whose playout delay adapts to the measured jitter.
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_JKVM_ADAPTIVE_QUEUE (gst_jkvm_adaptive_queue_get_type())
G_DECLARE_FINAL_TYPE(GstJkvmAdaptiveQueue, gst_jkvm_adaptive_queue, GST, JKVM_ADAPTIVE_QUEUE,
                     GstElement)

G_END_DECLS
