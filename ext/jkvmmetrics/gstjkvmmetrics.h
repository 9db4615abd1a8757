// SPDX-License-Identifier: LGPL-2.1-or-later
// GObject type of the tracer jkvmmetrics.
#pragma once

#define GST_USE_UNSTABLE_API // GstTracer has no other
#include <gst/gst.h>
#include <gst/gsttracer.h>

#define GST_TYPE_JKVM_METRICS (gst_jkvm_metrics_get_type())
G_DECLARE_FINAL_TYPE(GstJkvmMetrics, gst_jkvm_metrics, GST, JKVM_METRICS, GstTracer)
