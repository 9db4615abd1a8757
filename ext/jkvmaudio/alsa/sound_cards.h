// SPDX-License-Identifier: LGPL-2.1-or-later
// What sound devices this machine has.
#pragma once

#include "core/device/device_list.h"

namespace jkvm {

std::vector<SoundCard> list_sound_cards();

/// Names of devices that can capture, for people to choose from, separated by commas.
std::string list_capture_devices();

} // namespace jkvm
