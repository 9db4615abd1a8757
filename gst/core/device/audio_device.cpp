// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/device/audio_device.h"

#include <algorithm>

namespace jkvm {

namespace {

/// The number of a USB bus ("1") if `directory` is its root hub ("usb1"), else nothing.
std::string_view usb_bus(std::string_view directory)
{
    constexpr std::string_view prefix = "usb";
    if (!directory.starts_with(prefix))
        return {};
    directory.remove_prefix(prefix.size());
    return directory.find_first_not_of("0123456789") == std::string_view::npos ? directory
                                                                               : std::string_view();
}

} // namespace

std::string AudioDevice::pcm() const
{
    return "hw:CARD=" + card.id + ",DEV=" + std::to_string(number);
}

const char *name_of(AudioDevice::Direction direction)
{
    return direction == AudioDevice::Direction::capture ? "capture" : "playback";
}

std::string device_property(const SoundCard &card, unsigned number,
                            std::span<const SoundCard> cards)
{
    auto first_device = "hw:CARD=" + card.id;
    if (number != 0)
        return first_device + ",DEV=" + std::to_string(number);
    for (const auto &name : {card.name, card.id}) {
        const auto list = split_device_list(name);
        if (list.size() == 1 && list.front() == name && pcm_name(name, cards) == first_device)
            return name;
    }
    return first_device;
}

std::string_view usb_root_hub(std::string_view sysfs_path)
{
    for (std::size_t begin = 0; begin < sysfs_path.size();) {
        const auto end = std::min(sysfs_path.find('/', begin), sysfs_path.size());
        if (!usb_bus(sysfs_path.substr(begin, end - begin)).empty())
            return sysfs_path.substr(0, end);
        begin = end + 1;
    }
    return {};
}

std::string stable_card_id(const SoundCard &card, std::string_view sysfs_path,
                           std::string_view usb_speed)
{
    std::string id;
    std::string bus_prefix; // of the devices on a USB bus: "1-" in "1-2.1:1.0"
    while (!sysfs_path.empty()) {
        auto directory = sysfs_path.substr(0, sysfs_path.find('/'));
        sysfs_path.remove_prefix(std::min(directory.size() + 1, sysfs_path.size()));
        if (directory.empty())
            continue;
        const auto bus = usb_bus(directory);
        const bool is_root_hub = !bus.empty();
        if (is_root_hub) {
            bus_prefix = std::string(bus) + "-";
            directory.remove_suffix(bus.size());
        } else if (!bus_prefix.empty() && directory.starts_with(bus_prefix)) {
            directory.remove_prefix(bus_prefix.size());
        }
        id += (id.empty() ? "" : "/") + std::string(directory);
        if (is_root_hub)
            id += usb_speed;
    }
    return id.empty() ? card.id : id;
}

} // namespace jkvm
