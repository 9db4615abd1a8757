// SPDX-License-Identifier: LGPL-2.1-or-later
// The control devices of the simulated cards. This file uses the kernel's structures, which
// alsa-lib passes on under opaque names, and hence not alsa-lib's header.
#include "devices/fake_cards.h"

#include <sound/asound.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <span>

using jkvm::testing::fake_card;

namespace {

/// Stands for the opaque snd_ctl_t.
struct FakeControl {
    int card;
};

void copy_text(std::span<unsigned char> to, const std::string &text)
{
    std::memset(to.data(), 0, to.size());
    std::memcpy(to.data(), text.data(), std::min(to.size() - 1, text.size()));
}

} // namespace

extern "C" {

int snd_ctl_open(FakeControl **control, const char *name, int /*mode*/)
{
    const int card = std::atoi(name + std::strlen("hw:"));
    if (fake_card(card).id.empty())
        return -ENODEV;
    *control = new FakeControl{card};
    return 0;
}

int snd_ctl_close(FakeControl *control)
{
    delete control;
    return 0;
}

int snd_ctl_card_info(FakeControl *control, snd_ctl_card_info *info)
{
    const auto card = fake_card(control->card);
    copy_text(info->id, card.id);
    copy_text(info->name, card.name);
    return 0;
}

int snd_ctl_pcm_next_device(FakeControl * /*control*/, int *device)
{
    *device = *device < 0 ? 0 : -1;
    return 0;
}

int snd_ctl_pcm_info(FakeControl *control, snd_pcm_info *info)
{
    const auto card = fake_card(control->card);
    const bool is_capture = info->stream == SNDRV_PCM_STREAM_CAPTURE;
    if ((is_capture ? card.capture : card.playback).empty())
        return -ENOENT;
    copy_text(info->name, card.name + " PCM");
    return 0;
}

} // extern "C"
