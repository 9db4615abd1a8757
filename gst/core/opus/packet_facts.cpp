// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/opus/packet_facts.h"

#include "core/opus/opus_packet.h"

namespace jkvm {

namespace {

std::optional<PacketFacts> facts_of_opus(std::span<const std::byte> packet)
{
    const auto facts = opus_packet_facts(packet);
    if (!facts)
        return std::nullopt;
    return PacketFacts{.duration = facts->duration(),
                       .channels = facts->stereo ? 2 : 1,
                       .is_silence = packet.size() <= largest_dtx_packet,
                       .conceal_step = conceal_quantum(facts->mode)};
}

} // namespace

std::optional<PacketFacts> packet_facts(Codec codec, std::span<const std::byte> packet)
{
    switch (codec) {
    case Codec::opus:
        return facts_of_opus(packet);
    }
    return std::nullopt;
}

} // namespace jkvm
