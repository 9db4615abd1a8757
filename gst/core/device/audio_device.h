// SPDX-License-Identifier: LGPL-2.1-or-later
// Describes a capture or playback device of a sound card.
#pragma once

#include "core/device/device_list.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace jkvm {

/// The configurations of a device that the elements support.
struct DeviceFormats {
    std::vector<std::string> samples; ///< ALSA's names: "S16_LE"
    std::vector<unsigned> rates;      ///< Hz, the usual ones among those supported
    unsigned minimum_channels = 0;
    unsigned maximum_channels = 0;
    bool operator==(const DeviceFormats &) const = default;
};

/// One direction of a PCM device in the kernel's list.
struct AudioDevice {
    enum class Direction { capture, playback };

    std::string id; ///< the same after re-plugging into the same port
    SoundCard card;
    unsigned number = 0; ///< of the PCM device on its card
    std::string name;    ///< of the PCM device: "USB Audio"
    Direction direction = Direction::capture;
    std::string property;                 ///< value of the elements' property `device`
    std::optional<DeviceFormats> formats; ///< unknown if another process used the device

    bool operator==(const AudioDevice &) const = default;
    /// Name for snd_pcm_open() while the card is plugged in.
    [[nodiscard]] std::string pcm() const;
};

const char *name_of(AudioDevice::Direction direction);

/// Returns the value of the property `device` by which the elements find the device: the card's
/// name if that identifies it, else its id, else the ALSA name.
std::string device_property(const SoundCard &card, unsigned number,
                            std::span<const SoundCard> cards);

/// Returns an id for the card that is derived from the port to which it is connected: from
/// `sysfs_path`, the directory of its hardware below /sys/devices. The numbers of USB buses, which
/// depend on the order of their drivers, are replaced by `usb_speed`, by which the two root hubs of
/// a USB 3 controller differ. An empty path yields the card's own id, which the kernel derives from
/// the name of the product.
std::string stable_card_id(const SoundCard &card, std::string_view sysfs_path,
                           std::string_view usb_speed);

/// The part of a card's `sysfs_path` up to its USB root hub; empty if it is not a USB device.
std::string_view usb_root_hub(std::string_view sysfs_path);

} // namespace jkvm
