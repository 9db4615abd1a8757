// SPDX-License-Identifier: LGPL-2.1-or-later
#include "devices/fake_cards.h"

#include "core/base/guarded.h"

#include <alsa/asoundlib.h>

#include <dlfcn.h>

namespace jkvm::testing {

namespace {

Guarded<std::map<int, FakeCard>> &all_cards()
{
    static Guarded<std::map<int, FakeCard>> cards;
    return cards;
}

} // namespace

void set_fake_cards(const std::map<int, FakeCard> &cards)
{
    *all_cards().lock() = cards;
}

FakeCard fake_card(int number)
{
    const auto cards = all_cards().snapshot();
    const auto found = cards.find(number);
    return found == cards.end() ? FakeCard() : found->second;
}

int next_fake_card(int number)
{
    const auto cards = all_cards().snapshot();
    const auto next = cards.upper_bound(number);
    return next == cards.end() ? -1 : next->first;
}

std::string fake_pcm(const std::string &name, bool is_capture)
{
    for (const auto &[number, card] : all_cards().snapshot())
        if (name == "hw:CARD=" + card.id || name == "hw:CARD=" + card.id + ",DEV=0")
            return is_capture ? card.capture : card.playback;
    return {};
}

} // namespace jkvm::testing

// The dynamic linker finds the program's functions before those of libasound.

extern "C" int snd_card_next(int *card)
{
    *card = jkvm::testing::next_fake_card(*card);
    return 0;
}

extern "C" int snd_pcm_open(snd_pcm_t **pcm, const char *name, snd_pcm_stream_t stream, int mode)
{
    static void *const library = dlopen("libasound.so.2", RTLD_LAZY | RTLD_NOLOAD);
    static const auto real =
        reinterpret_cast<decltype(&snd_pcm_open)>(dlsym(library, "snd_pcm_open"));
    const auto fake = jkvm::testing::fake_pcm(name, stream == SND_PCM_STREAM_CAPTURE);
    return real(pcm, fake.empty() ? name : fake.c_str(), stream, mode);
}
