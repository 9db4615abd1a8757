// SPDX-License-Identifier: LGPL-2.1-or-later
// jkvmaudiosink: plays Opus or raw audio on an ALSA device.
#pragma once

#include <gst/base/gstbasesink.h>

G_BEGIN_DECLS

#define GST_TYPE_JKVM_AUDIO_SINK (gst_jkvm_audio_sink_get_type())
G_DECLARE_FINAL_TYPE(GstJkvmAudioSink, gst_jkvm_audio_sink, GST, JKVM_AUDIO_SINK, GstBaseSink)

G_END_DECLS
