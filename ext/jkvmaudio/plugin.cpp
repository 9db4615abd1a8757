// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * plugin-jkvmaudio:
 *
 * ALSA capture encoded to Opus, and playback of Opus.
 *
 * Since: 0.1
 */
#include "gstjkvmaudiodeviceprovider.h"
#include "gstjkvmaudiosink.h"
#include "gstjkvmaudiosrc.h"

#include <gst/audio/streamvolume.h>

static gboolean plugin_init(GstPlugin *plugin)
{
    // The interface describes the properties mute and volume to volume controls.
    static const GInterfaceInfo stream_volume{};
    g_type_add_interface_static(GST_TYPE_JKVM_AUDIO_SRC, GST_TYPE_STREAM_VOLUME, &stream_volume);
    g_type_add_interface_static(GST_TYPE_JKVM_AUDIO_SINK, GST_TYPE_STREAM_VOLUME, &stream_volume);
    return gst_element_register(plugin, "jkvmaudiosrc", GST_RANK_NONE, GST_TYPE_JKVM_AUDIO_SRC) &&
           gst_element_register(plugin, "jkvmaudiosink", GST_RANK_NONE, GST_TYPE_JKVM_AUDIO_SINK) &&
           // GstDeviceMonitor ignores providers without a rank.
           gst_device_provider_register(plugin, "jkvmaudiodeviceprovider", GST_RANK_MARGINAL,
                                        GST_TYPE_JKVM_AUDIO_DEVICE_PROVIDER);
}

#define PACKAGE "jkvm"
GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, jkvmaudio,
                  "ALSA capture and playback with Opus", plugin_init, PACKAGE_VERSION, "LGPL",
                  "jkvm", "Unknown package origin")
