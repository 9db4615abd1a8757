// SPDX-License-Identifier: LGPL-2.1-or-later
// The properties of jkvmipcsrc by which it requests settings of the sender's encoder.
#pragma once

#include "common/property_table.h"
#include "core/opus/quality_preset.h"
#include "core/wire/control.h"

#include <string>

namespace jkvm {

/// A property with its initial value requests nothing.
struct RequestedSettings {
    int quality = -1;    ///< a Quality
    int bitrate = 0;     ///< bit/s
    int complexity = -1; ///< 0 to 10
    int frame_size = 0;  ///< ms, rounded down
    int dtx = -1;        ///< 0 or 1
    int packet_loss_percentage = -1;

    /// Returns the fields of an OpusConfig. A single property takes precedence over the preset.
    /// `stream_rate`: sample rate of the stream (Hz).
    [[nodiscard]] wire::EncoderConfigFields fields(wire::Direction direction,
                                                   unsigned stream_rate) const;
    /// Returns the names of the properties that request something, separated by commas.
    [[nodiscard]] std::string names() const;

    bool operator==(const RequestedSettings &) const = default;
};

const PropertyTable<RequestedSettings> &requested_settings_properties();

} // namespace jkvm
