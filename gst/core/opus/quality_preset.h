// SPDX-License-Identifier: LGPL-2.1-or-later
// The encoder settings of the four named qualities, for each direction.
#pragma once

#include "core/opus/encoder_settings.h"
#include "core/wire/message.h"

namespace jkvm {

/// The values are those of JetKVM.
enum class Quality { low, medium, high, ultra };

/// The settings of a preset; those for packet loss keep their defaults.
EncoderSettings quality_preset(wire::Direction direction, Quality quality);

/// Number of channels to capture: the maximum of that direction's presets, so that a change of
/// quality does not reconfigure the device.
unsigned capture_channels(wire::Direction direction);

} // namespace jkvm
