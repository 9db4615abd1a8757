// SPDX-License-Identifier: LGPL-2.1-or-later
// Lists the sound cards and ALSA devices of this machine.
#pragma once

#include "core/device/audio_device.h"

namespace jkvm {

std::vector<SoundCard> list_sound_cards();

/// Returns all PCM devices of all sound cards, without their formats. `sysfs`: where sysfs is
/// mounted.
std::vector<AudioDevice> list_audio_devices(const std::string &sysfs = "/sys");

/// ALSA names of all capture devices, separated by commas, for an error text.
std::string list_capture_devices();

} // namespace jkvm
