// SPDX-License-Identifier: LGPL-2.1-or-later
// jkvmaudiosrc: captures audio from an ALSA device and encodes it to Opus in one thread.
#pragma once

#include <gst/base/gstpushsrc.h>

G_BEGIN_DECLS

#define GST_TYPE_JKVM_AUDIO_SRC (gst_jkvm_audio_src_get_type())
G_DECLARE_FINAL_TYPE(GstJkvmAudioSrc, gst_jkvm_audio_src, GST, JKVM_AUDIO_SRC, GstPushSrc)

G_END_DECLS
