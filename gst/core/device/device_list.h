// SPDX-License-Identifier: LGPL-2.1-or-later
// Parses the property `device`: names separated by semicolons, in the order of attempts.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace jkvm {

/// A sound card in the kernel's list.
struct SoundCard {
    std::string id;   ///< short and unique: "tc358743"
    std::string name; ///< human-readable: "HDMI receiver"
    int number = -1;  ///< in the kernel's list; may differ after re-plugging

    bool operator==(const SoundCard &) const = default;
};

/// Returns the names without surrounding spaces and without empty ones.
std::vector<std::string> split_device_list(std::string_view list);

/// Returns the name for snd_pcm_open(): that of the first device of a card if `device` is the id or
/// name of the card, else `device` itself.
std::string pcm_name(const std::string &device, std::span<const SoundCard> cards);

/// Whether two ALSA names such as "hw:0,0" and "plughw:CARD=PCH" are devices of one card.
bool are_on_one_card(std::string_view a, std::string_view b, std::span<const SoundCard> cards);

} // namespace jkvm
