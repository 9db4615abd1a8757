// SPDX-License-Identifier: LGPL-2.1-or-later
// PacketLevelMeter of a build without libopus: no packet has a known level.
#include "packet_level_meter.h"

namespace jkvm {

PacketLevelMeter::PacketLevelMeter() = default;
PacketLevelMeter::PacketLevelMeter(PacketLevelMeter &&) noexcept = default;
PacketLevelMeter &PacketLevelMeter::operator=(PacketLevelMeter &&) noexcept = default;
PacketLevelMeter::~PacketLevelMeter() = default;

void PacketLevelMeter::Destroy::operator()(OpusDecoder *) const {}

std::optional<double> PacketLevelMeter::measure(std::span<const std::byte>)
{
    return std::nullopt;
}

} // namespace jkvm
