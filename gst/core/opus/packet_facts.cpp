// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/opus/packet_facts.h"

#include "core/opus/opus_packet.h"
#include "core/opus/silence_packet.h"

#include <algorithm>

namespace jkvm {

namespace {

// libopus conceals in pieces of the last frame's duration, and at most this at a time.
constexpr nanoseconds longest_plc = std::chrono::milliseconds(20);

std::optional<PacketFacts> facts_of_opus(std::span<const std::byte> packet)
{
    const auto facts = opus_packet_facts(packet);
    if (!facts)
        return std::nullopt;
    return PacketFacts{.duration = facts->duration(),
                       .channels = facts->stereo ? 2 : 1,
                       .is_silence = packet.size() <= largest_dtx_packet,
                       .is_quiet = packet.size() <= largest_silent_packet ||
                                   is_silence_packet(packet, *facts),
                       .conceal_step = conceal_quantum(facts->mode),
                       .maximum_conceal_step = std::min(facts->frame_duration, longest_plc)};
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
