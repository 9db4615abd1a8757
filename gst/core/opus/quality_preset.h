// SPDX-License-Identifier: LGPL-2.1-or-later
// The encoder settings of the four named qualities, for each direction.
#pragma once

#include "core/opus/encoder_settings.h"
#include "core/wire/control.h"
#include "core/wire/message.h"

#include <array>
#include <optional>
#include <string_view>

namespace jkvm {

/// The values are those of JetKVM.
enum class Quality { low, medium, high, ultra };

/// The settings of a preset; those for packet loss keep their defaults.
EncoderSettings quality_preset(wire::Direction direction, Quality quality);

/// The settings of a preset as an encoder request, which names all fields.
wire::EncoderConfigFields preset_fields(wire::Direction direction, Quality quality);

/// The nicks, in the order of Quality.
inline constexpr std::array quality_nicks{"low", "medium", "high", "ultra"};

/// Returns the quality with the nick low, medium, high or ultra.
std::optional<Quality> find_quality(std::string_view nick);

/// Number of channels to capture: the maximum of that direction's presets, so that a change of
/// quality does not reconfigure the device.
unsigned capture_channels(wire::Direction direction);

} // namespace jkvm
