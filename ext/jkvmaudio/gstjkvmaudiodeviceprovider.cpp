// SPDX-License-Identifier: LGPL-2.1-or-later
// clang-format off
/**
 * SECTION:provider-jkvmaudiodeviceprovider
 * @title: jkvmaudiodeviceprovider
 * @short_description: Lists the ALSA devices for jkvmaudiosrc and jkvmaudiosink
 *
 * Lists the capture and playback devices of all sound cards through GstDeviceMonitor, and reports those
 * that are plugged in and out while the monitor runs. A capture device has the class Audio/Source and
 * creates a jkvmaudiosrc, a playback device has the class Audio/Sink and creates a jkvmaudiosink, each
 * with its property `device` set.
 *
 * |[
 * gst-device-monitor-1.0 Audio/Source Audio/Sink
 * gst-device-monitor-1.0 --follow Audio/Source
 * ]|
 *
 * The caps of a device are those of the element's pad. The formats of the hardware are a property. To query
 * them, the provider opens the device once after it has appeared, for a few milliseconds and without
 * waiting for it.
 *
 * ## Properties of a device
 *
 * | property | type | meaning |
 * |---|---|---|
 * | device.api | gchararray | alsa |
 * | device.id | gchararray | names the port of the machine to which the card is connected, and the PCM device: unique, and the same after the card was plugged out and in again. Where sysfs is not mounted, the id of the card replaces the port |
 * | device.direction | gchararray | capture or playback |
 * | alsa.card | gint | number of the card; may differ after re-plugging |
 * | alsa.card_id, alsa.card_name | gchararray | id and name of the card; `device` of the elements accepts either |
 * | alsa.device | guint | number of the PCM device on its card |
 * | alsa.name | gchararray | name of the PCM device |
 * | alsa.pcm | gchararray | ALSA name of the device |
 * | alsa.formats | GstCaps | formats, rates and channels of the hardware that the elements can use; absent if there are none, or if another program used the device when it was listed; queried again at the next change in /dev/snd |
 *
 * The element's `device` is the name of the card. If two cards have the same name, it is the id of the
 * card; for a PCM device other than the first of a card, it is the ALSA name.
 *
 * Cards are noticed through inotify on /dev/snd.
 *
 * Since: 0.1
 */
// clang-format on
#include "gstjkvmaudiodeviceprovider.h"

#include "alsa/alsa_device_source.h"
#include "audio_device_provider.h"
#include "common/element_type.h"

namespace {

/// Provides the devices of this machine.
class AlsaDeviceProvider {
public:
    explicit AlsaDeviceProvider(GstJkvmAudioDeviceProvider *provider)
        : devices_(GST_DEVICE_PROVIDER(provider), std::make_unique<jkvm::AlsaDeviceSource>())
    {}
    jkvm::AudioDeviceProvider &devices() { return devices_; }

private:
    jkvm::AudioDeviceProvider devices_;
};

} // namespace

struct _GstJkvmAudioDeviceProvider {
    GstDeviceProvider parent;
};

JKVM_DEFINE_OBJECT(GstJkvmAudioDeviceProvider, gst_jkvm_audio_device_provider,
                   GST_TYPE_DEVICE_PROVIDER, AlsaDeviceProvider)

static void gst_jkvm_audio_device_provider_configure_class(GstJkvmAudioDeviceProviderClass *klass)
{
    auto *provider_class = GST_DEVICE_PROVIDER_CLASS(klass);
    gst_device_provider_class_set_static_metadata(
        provider_class, "JetKVM audio devices", "Source/Sink/Audio",
        "Lists the ALSA devices for jkvmaudiosrc and jkvmaudiosink", "the jkvm developers");
    provider_class->probe = [](GstDeviceProvider *self) noexcept {
        return impl(self).devices().probe();
    };
    provider_class->start = [](GstDeviceProvider *self) noexcept -> gboolean {
        return impl(self).devices().start();
    };
    provider_class->stop = [](GstDeviceProvider *self) noexcept { impl(self).devices().stop(); };
}
