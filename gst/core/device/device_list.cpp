// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/device/device_list.h"

#include <algorithm>

namespace jkvm {

std::vector<std::string> split_device_list(std::string_view list)
{
    std::vector<std::string> devices;
    while (!list.empty()) {
        const auto end = std::min(list.find(';'), list.size());
        auto entry = list.substr(0, end);
        list.remove_prefix(std::min(end + 1, list.size()));
        const auto first = entry.find_first_not_of(' ');
        if (first == std::string_view::npos)
            continue;
        entry = entry.substr(first, entry.find_last_not_of(' ') - first + 1);
        devices.emplace_back(entry);
    }
    return devices;
}

std::string pcm_name(const std::string &device, std::span<const SoundCard> cards)
{
    const auto card = std::ranges::find_if(
        cards, [&](const auto &c) { return c.id == device || c.name == device; });
    return card == cards.end() ? device : "hw:CARD=" + card->id;
}

} // namespace jkvm
