// SPDX-License-Identifier: LGPL-2.1-or-later
// Reports the devices of a DeviceSource through a GstDeviceProvider.
#pragma once

#include "common/gst_ref.h"
#include "core/device/device_monitor.h"

#include <gst/gst.h>

#include <map>
#include <memory>
#include <string>

namespace jkvm {

/// The implementation of jkvmaudiodeviceprovider.
class AudioDeviceProvider final : public DeviceMonitor::Host {
public:
    /// `provider` is borrowed.
    AudioDeviceProvider(GstDeviceProvider *provider, std::unique_ptr<DeviceSource> source);

    /// Returns all devices as a list of floating GstDevices.
    GList *probe();
    /// Adds all devices to the provider before it returns, and updates them until stop(). Fails if
    /// there is no thread for that.
    [[nodiscard]] bool start();
    void stop();

private:
    void on_added(const AudioDevice &device) override;
    void on_removed(const AudioDevice &device) override;
    void on_changed(const AudioDevice &device) override;

    GstDeviceProvider *provider_;
    std::unique_ptr<DeviceSource> source_;
    std::map<std::string, GstRef<GstDevice>> objects_; // by the devices' ids
    DeviceMonitor monitor_;
};

} // namespace jkvm
