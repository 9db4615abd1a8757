// SPDX-License-Identifier: LGPL-2.1-or-later
#include "alsa/sound_cards.h"

#include "alsa/alsa_log.h"

#include <cstdlib>
#include <memory>

namespace jkvm {

namespace {

struct FreeString {
    void operator()(char *text) const
    {
        std::free(text);
    } // NOLINT: allocated by alsa-lib with malloc
};
using String = std::unique_ptr<char, FreeString>;

} // namespace

std::vector<SoundCard> list_sound_cards()
{
    const AlsaErrorLog log;
    std::vector<SoundCard> cards;
    snd_ctl_card_info_t *info = nullptr;
    snd_ctl_card_info_alloca(&info);
    int number = -1;
    while (snd_card_next(&number) >= 0 && number >= 0) {
        snd_ctl_t *control = nullptr;
        if (snd_ctl_open(&control, ("hw:" + std::to_string(number)).c_str(), 0) < 0)
            continue;
        if (snd_ctl_card_info(control, info) >= 0)
            cards.push_back({snd_ctl_card_info_get_id(info), snd_ctl_card_info_get_name(info)});
        snd_ctl_close(control);
    }
    return cards;
}

std::string list_capture_devices()
{
    const AlsaErrorLog log;
    void **hints = nullptr;
    if (snd_device_name_hint(-1, "pcm", &hints) < 0)
        return {};
    std::string list;
    for (void **hint = hints; *hint != nullptr; ++hint) {
        const String name(snd_device_name_get_hint(*hint, "NAME"));
        const String direction(snd_device_name_get_hint(*hint, "IOID")); // absent = both
        if (!name || (direction && std::string_view(direction.get()) != "Input"))
            continue;
        list += (list.empty() ? "" : ", ") + std::string(name.get());
    }
    snd_device_name_free_hint(hints);
    return list;
}

} // namespace jkvm
