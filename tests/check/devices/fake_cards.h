// SPDX-License-Identifier: LGPL-2.1-or-later
// Simulates sound cards: overrides the functions of alsa-lib that list them and open their devices.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace jkvm::testing {

struct FakeCard {
    std::string id;
    std::string name;
    std::string capture;  ///< ALSA name that the card's first capture device opens; empty: none
    std::string playback; ///< the same for playback
};

/// The cards of this process by their numbers, which alsa-lib reports from now on.
void set_fake_cards(const std::map<int, FakeCard> &cards);
/// The card with that number; empty fields if there is none.
FakeCard fake_card(int number);
/// The number of the first card after `number`; -1 if there is none.
int next_fake_card(int number);
/// What "hw:CARD=ID,DEV=0" opens; empty if there is no such device.
std::string fake_pcm(const std::string &name, bool is_capture);

} // namespace jkvm::testing
