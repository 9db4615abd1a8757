// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/device/device_monitor.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

namespace jkvm {

namespace {

const AudioDevice *find(const std::vector<AudioDevice> &devices, const std::string &id)
{
    const auto found = std::ranges::find(devices, id, &AudioDevice::id);
    return found == devices.end() ? nullptr : &*found;
}

} // namespace

std::vector<AudioDevice> list_with_formats(DeviceSource &source,
                                           const std::vector<AudioDevice> &known)
{
    auto devices = source.list();
    for (auto &device : devices) {
        const auto *before = find(known, device.id);
        if (before != nullptr && before->card == device.card && before->name == device.name)
            device.formats = before->formats;
        if (!device.formats)
            device.formats = source.query_formats(device);
    }
    return devices;
}

bool DeviceMonitor::start()
{
    stop();
    devices_.clear();
    stopped_.clear();
    update();
    try {
        thread_ = std::thread([this] { run(); });
    } catch (const std::system_error &) {
        return false;
    }
    return true;
}

void DeviceMonitor::stop()
{
    if (!thread_.joinable())
        return;
    stopped_.set();
    thread_.join();
}

void DeviceMonitor::run()
{
    for (;;) {
        std::array entries{pollfd{stopped_.fd(), POLLIN, 0}, pollfd{source_.fd(), POLLIN, 0}};
        if (::poll(entries.data(), entries.size(), -1) < 0 && errno != EINTR)
            return;
        if ((entries[0].revents & POLLIN) != 0)
            return;
        if ((entries[1].revents & POLLIN) != 0)
            update();
    }
}

void DeviceMonitor::update()
{
    source_.take_changes(); // first, so that a change during the listing is noticed
    const auto before = std::exchange(devices_, list_with_formats(source_, devices_));
    for (const auto &device : before)
        if (find(devices_, device.id) == nullptr)
            host_.on_removed(device);
    for (const auto &device : devices_) {
        const auto *known = find(before, device.id);
        if (known == nullptr)
            host_.on_added(device);
        else if (*known != device)
            host_.on_changed(device);
    }
}

} // namespace jkvm
