// SPDX-License-Identifier: LGPL-2.1-or-later
// Properties of an encoded packet that are needed without decoding it, for every codec.
#pragma once

#include "core/base/codec.h"
#include "core/base/time.h"

#include <cstddef>
#include <optional>
#include <span>

namespace jkvm {

struct PacketFacts {
    nanoseconds duration;     ///< > 0
    int channels;             ///< coded in this packet; the stream may have more
    bool is_silence;          ///< it contains no audio: the encoder omitted the frame (DTX)
    bool is_quiet;            ///< is_silence, or it contains digital silence
    nanoseconds conceal_step; ///< a decoder conceals a loss after it in multiples of this; > 0
    /// Maximum duration that a decoder conceals in one step after it. Each step fades, so fewer
    /// steps are louder.
    nanoseconds maximum_conceal_step;
};

/// Returns nothing for bytes that are not a packet of the codec. Reads the first two bytes only.
std::optional<PacketFacts> packet_facts(Codec codec, std::span<const std::byte> packet);

} // namespace jkvm
