// SPDX-License-Identifier: LGPL-2.1-or-later
// Reports the audio devices of this machine, and those that are plugged in and out.
#pragma once

#include "core/base/wake_event.h"
#include "core/device/audio_device.h"

#include <optional>
#include <thread>
#include <vector>

namespace jkvm {

/// The machine's devices. Used by one thread at a time.
class DeviceSource {
public:
    virtual ~DeviceSource() = default;
    /// All devices that are plugged in, without their formats.
    virtual std::vector<AudioDevice> list() = 0;
    /// Opens the device to query its formats. Empty if that is not possible at present.
    virtual std::optional<DeviceFormats> query_formats(const AudioDevice &device) = 0;
    /// Readable after list() may have changed; -1 if changes are not noticed.
    [[nodiscard]] virtual int fd() const = 0;
    /// Makes fd() unreadable until the next change.
    virtual void take_changes() = 0;

protected:
    DeviceSource() = default;
    DeviceSource(const DeviceSource &) = default;
    DeviceSource &operator=(const DeviceSource &) = default;
};

/// Lists all devices with their formats. `known`: devices of an earlier call, whose formats are
/// taken over if it is the same card, so that no device is opened more often than needed.
std::vector<AudioDevice> list_with_formats(DeviceSource &source,
                                           const std::vector<AudioDevice> &known);

/// Watches a DeviceSource with a thread of its own. Identifies devices by their id.
class DeviceMonitor {
public:
    /// Called by start() and by the thread, one call at a time.
    class Host {
    public:
        virtual ~Host() = default;
        virtual void on_added(const AudioDevice &device) = 0;
        virtual void on_removed(const AudioDevice &device) = 0;
        /// The card number, the property or the formats changed.
        virtual void on_changed(const AudioDevice &device) = 0;

    protected:
        Host() = default;
        Host(const Host &) = default;
        Host &operator=(const Host &) = default;
    };

    /// Both are borrowed.
    DeviceMonitor(DeviceSource &source, Host &host) : source_(source), host_(host) {}
    ~DeviceMonitor() { stop(); }
    DeviceMonitor(const DeviceMonitor &) = delete;
    DeviceMonitor &operator=(const DeviceMonitor &) = delete;

    /// Reports all present devices as added before it returns. Fails without a thread, so that
    /// changes are not noticed.
    [[nodiscard]] bool start();
    /// Returns after the last call of the host. Devices are not reported as removed.
    void stop();

private:
    void run();
    void update();

    DeviceSource &source_;
    Host &host_;
    WakeEvent stopped_;
    std::vector<AudioDevice> devices_; // as reported
    std::thread thread_;
};

} // namespace jkvm
