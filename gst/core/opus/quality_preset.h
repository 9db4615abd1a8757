// SPDX-License-Identifier: LGPL-2.1-or-later
// The four qualities by name, for each direction.
#pragma once

#include "core/opus/encoder_settings.h"
#include "core/wire/message.h"

namespace jkvm {

/// The numbers are those of JetKVM.
enum class Quality { low, medium, high, ultra };

/// Only what a quality is about differs from the defaults: nothing is said of packet loss.
EncoderSettings quality_preset(wire::Direction direction, Quality quality);

/// In how many channels sound is captured: the most that a preset of that direction codes, so that
/// no change of quality changes how the device is used.
unsigned capture_channels(wire::Direction direction);

} // namespace jkvm
