// SPDX-License-Identifier: LGPL-2.1-or-later
// GObject type of jkvmsupervisedsrc, which runs a source in a worker process.
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_JKVM_SUPERVISED_SRC (gst_jkvm_supervised_src_get_type())
G_DECLARE_FINAL_TYPE(GstJkvmSupervisedSrc, gst_jkvm_supervised_src, GST, JKVM_SUPERVISED_SRC,
                     GstBin)

/* Must be called before the first use of the type. */
void gst_jkvm_supervised_src_add_interfaces(void);

G_END_DECLS
