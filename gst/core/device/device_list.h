// SPDX-License-Identifier: LGPL-2.1-or-later
// The property `device`: names in the order in which they are tried.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace jkvm {

/// A card as the kernel lists it.
struct SoundCard {
    std::string id;   ///< short and unique: "tc358743"
    std::string name; ///< for people: "HDMI receiver"
};

/// What is between the ';', without spaces around it and without what is empty.
std::vector<std::string> split_device_list(std::string_view list);

/// The name for snd_pcm_open(): that of the first device of the card whose id or name it is, else
/// as it stands.
std::string pcm_name(const std::string &device, std::span<const SoundCard> cards);

} // namespace jkvm
