// SPDX-License-Identifier: LGPL-2.1-or-later
#include "audio_device_provider.h"

#include "alsa/alsa_log.h"
#include "audio_device_object.h"

#include <utility>

#define GST_CAT_DEFAULT alsa_debug_category()

namespace jkvm {

AudioDeviceProvider::AudioDeviceProvider(GstDeviceProvider *provider,
                                         std::unique_ptr<DeviceSource> source)
    : provider_(provider), source_(std::move(source)), monitor_(*source_, *this)
{}

GList *AudioDeviceProvider::probe()
{
    GList *objects = nullptr;
    for (const auto &device : list_with_formats(*source_, {}))
        objects = g_list_append(objects, make_device_object(device));
    return objects;
}

bool AudioDeviceProvider::start()
{
    const bool is_started = monitor_.start();
    if (!is_started)
        objects_.clear(); // the base class removes the devices
    return is_started;
}

void AudioDeviceProvider::stop()
{
    monitor_.stop();
    objects_.clear();
}

void AudioDeviceProvider::on_added(const AudioDevice &device)
{
    GST_INFO("found the %s device %s (%s)", name_of(device.direction), device.property.c_str(),
             device.id.c_str());
    const auto &object = objects_[device.id] = GstRef<GstDevice>::share(make_device_object(device));
    gst_device_provider_device_add(provider_, object.get());
}

void AudioDeviceProvider::on_removed(const AudioDevice &device)
{
    GST_INFO("the %s device %s was removed", name_of(device.direction), device.property.c_str());
    // Empty after the removal of another device that had the same id.
    if (const auto node = objects_.extract(device.id))
        gst_device_provider_device_remove(provider_, node.mapped().get());
}

void AudioDeviceProvider::on_changed(const AudioDevice &device)
{
    auto object = GstRef<GstDevice>::share(make_device_object(device));
    auto &known = objects_[device.id];
    gst_device_provider_device_changed(provider_, object.get(), known.get());
    known = std::move(object);
}

} // namespace jkvm
