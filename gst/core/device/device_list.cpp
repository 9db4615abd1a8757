// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/device/device_list.h"

#include <algorithm>
#include <charconv>

namespace jkvm {

namespace {

/// Returns the first argument of an ALSA name, the id of the card instead of its number. Empty if
/// there is none.
std::string card_of(std::string_view device, std::span<const SoundCard> cards)
{
    constexpr std::string_view key = "CARD=";
    const auto colon = device.find(':');
    if (colon == std::string_view::npos)
        return {};
    auto card = device.substr(colon + 1);
    card = card.substr(0, card.find(','));
    if (card.starts_with(key))
        card.remove_prefix(key.size());
    int number = -1;
    const auto [end, error] = std::from_chars(card.data(), card.data() + card.size(), number);
    if (error == std::errc() && end == card.data() + card.size())
        for (const auto &listed : cards)
            if (listed.number == number)
                return listed.id;
    return std::string(card);
}

} // namespace

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

bool are_on_one_card(std::string_view a, std::string_view b, std::span<const SoundCard> cards)
{
    const auto card = card_of(a, cards);
    return !card.empty() && card == card_of(b, cards);
}

} // namespace jkvm
