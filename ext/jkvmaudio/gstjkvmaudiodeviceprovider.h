// SPDX-License-Identifier: LGPL-2.1-or-later
// jkvmaudiodeviceprovider: lists the ALSA devices that jkvmaudiosrc and jkvmaudiosink can use.
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_JKVM_AUDIO_DEVICE_PROVIDER (gst_jkvm_audio_device_provider_get_type())
G_DECLARE_FINAL_TYPE(GstJkvmAudioDeviceProvider, gst_jkvm_audio_device_provider, GST,
                     JKVM_AUDIO_DEVICE_PROVIDER, GstDeviceProvider)

G_END_DECLS
