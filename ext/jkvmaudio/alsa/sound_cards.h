// SPDX-License-Identifier: LGPL-2.1-or-later
// Lists the sound cards and ALSA capture devices of this machine.
#pragma once

#include "core/device/device_list.h"

namespace jkvm {

std::vector<SoundCard> list_sound_cards();

/// ALSA names of all capture devices, separated by commas, for an error text.
std::string list_capture_devices();

} // namespace jkvm
