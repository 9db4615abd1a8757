// SPDX-License-Identifier: LGPL-2.1-or-later
// Encodes silence without an encoder, to mute a stream of packets.
#pragma once

#include "core/base/codec.h"
#include "core/opus/opus_packet.h"

#include <array>
#include <cstddef>
#include <span>

namespace jkvm {

/// A packet of coded silence with the duration, channels and mode of another packet.
///
/// A CELT decoder fades to and from it. A SILK decoder fades to it within about 60 ms; the frame
/// after it starts without the decoder's prediction, as after a loss.
class SilencePacket {
public:
    /// `model`: packet_facts() accepts it.
    SilencePacket(Codec codec, std::span<const std::byte> model);
    [[nodiscard]] std::span<const std::byte> bytes() const
    {
        return std::span(storage_).first(size_);
    }

private:
    void append(std::span<const std::byte> bytes);
    void encode_opus(std::span<const std::byte> model);

    std::array<std::byte, 302> storage_{}; // the maximum: 120 ms in hybrid frames of 10 ms, stereo
    std::size_t size_ = 0;
};

/// Whether an Opus packet has the content that SilencePacket has for it. `facts`: of that packet.
bool is_silence_packet(std::span<const std::byte> packet, const OpusPacketFacts &facts);

} // namespace jkvm
