// SPDX-License-Identifier: LGPL-2.1-or-later
#include "alsa/sound_cards.h"

#include "alsa/alsa_log.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
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

/// Calls `visit` with each card that this process may open, and its control device.
template <typename Visit>
void visit_cards(const Visit &visit)
{
    const AlsaErrorLog log;
    snd_ctl_card_info_t *info = nullptr;
    snd_ctl_card_info_alloca(&info);
    int number = -1;
    while (snd_card_next(&number) >= 0 && number >= 0) {
        snd_ctl_t *control = nullptr;
        if (snd_ctl_open(&control, ("hw:" + std::to_string(number)).c_str(), 0) < 0)
            continue;
        if (snd_ctl_card_info(control, info) >= 0)
            visit(
                SoundCard{snd_ctl_card_info_get_id(info), snd_ctl_card_info_get_name(info), number},
                control);
        snd_ctl_close(control);
    }
}

/// Directory of the card's hardware below /sys/devices; empty if sysfs does not have it.
std::string hardware_path(const std::string &sysfs, const SoundCard &card)
{
    std::error_code error;
    const auto link = sysfs + "/class/sound/card" + std::to_string(card.number) + "/device";
    const auto path = std::filesystem::canonical(link, error);
    if (error)
        return {};
    const auto devices = std::filesystem::canonical(sysfs + "/devices", error);
    return error ? std::string() : path.lexically_relative(devices).string();
}

/// An id of the card that names its port.
std::string port_id(const std::string &sysfs, const SoundCard &card)
{
    const auto path = hardware_path(sysfs, card);
    std::string usb_speed; // Mbit/s
    if (const auto hub = usb_root_hub(path); !hub.empty())
        std::ifstream(sysfs + "/devices/" + std::string(hub) + "/speed") >> usb_speed;
    return stable_card_id(card, path, usb_speed);
}

/// Appends the card's own id to ids that several devices have, because their cards are parts of one
/// piece of hardware.
void make_ids_unique(std::vector<AudioDevice> &devices)
{
    std::map<std::string, unsigned> counts;
    for (const auto &device : devices)
        ++counts[device.id];
    for (auto &device : devices)
        if (counts[device.id] > 1)
            device.id += "/" + device.card.id;
}

/// The PCM devices of one card, without their property.
void append_devices(std::vector<AudioDevice> &devices, const SoundCard &card,
                    const std::string &card_id, snd_ctl_t *control)
{
    snd_pcm_info_t *info = nullptr;
    snd_pcm_info_alloca(&info);
    int number = -1;
    while (snd_ctl_pcm_next_device(control, &number) >= 0 && number >= 0) {
        for (const auto direction :
             {AudioDevice::Direction::capture, AudioDevice::Direction::playback}) {
            const bool is_capture = direction == AudioDevice::Direction::capture;
            snd_pcm_info_set_device(info, static_cast<unsigned>(number));
            snd_pcm_info_set_subdevice(info, 0);
            snd_pcm_info_set_stream(info,
                                    is_capture ? SND_PCM_STREAM_CAPTURE : SND_PCM_STREAM_PLAYBACK);
            if (snd_ctl_pcm_info(control, info) < 0)
                continue; // the device has the other direction only
            devices.push_back(
                {.id = card_id + "/pcm" + std::to_string(number) + (is_capture ? "c" : "p"),
                 .card = card,
                 .number = static_cast<unsigned>(number),
                 .name = snd_pcm_info_get_name(info),
                 .direction = direction});
        }
    }
}

} // namespace

std::vector<SoundCard> list_sound_cards()
{
    std::vector<SoundCard> cards;
    visit_cards([&](const SoundCard &card, snd_ctl_t *) { cards.push_back(card); });
    return cards;
}

std::vector<AudioDevice> list_audio_devices(const std::string &sysfs)
{
    std::vector<SoundCard> cards;
    std::vector<AudioDevice> devices;
    visit_cards([&](const SoundCard &card, snd_ctl_t *control) {
        cards.push_back(card);
        append_devices(devices, card, port_id(sysfs, card), control);
    });
    make_ids_unique(devices);
    for (auto &device : devices)
        device.property = device_property(device.card, device.number, cards);
    return devices;
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
