// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/opus/opus_packet.h"

#include <array>

namespace jkvm {

using namespace std::chrono_literals;

const char *name_of(OpusMode mode)
{
    return std::array{"silk", "hybrid", "celt"}.at(static_cast<std::size_t>(mode));
}

std::optional<OpusPacketFacts> opus_packet_facts(std::span<const std::byte> packet)
{
    if (packet.empty())
        return std::nullopt;
    const auto toc = std::to_integer<unsigned>(packet[0]);
    const auto config = toc >> 3;

    OpusPacketFacts facts{};
    facts.stereo = (toc & 0x04) != 0;
    if (config < 12) { // four sizes for each of three bandwidths
        constexpr std::array<nanoseconds, 4> sizes{10ms, 20ms, 40ms, 60ms};
        facts.mode = OpusMode::silk;
        facts.bandwidth = std::array{Bandwidth::narrowband, Bandwidth::mediumband,
                                     Bandwidth::wideband}[config / 4];
        facts.frame_duration = sizes[config % 4];
    } else if (config < 16) {
        constexpr std::array<nanoseconds, 2> sizes{10ms, 20ms};
        facts.mode = OpusMode::hybrid;
        facts.bandwidth = config < 14 ? Bandwidth::superwideband : Bandwidth::fullband;
        facts.frame_duration = sizes[config % 2];
    } else {
        constexpr std::array<nanoseconds, 4> sizes{2500us, 5ms, 10ms, 20ms};
        facts.mode = OpusMode::celt;
        facts.bandwidth = std::array{Bandwidth::narrowband, Bandwidth::wideband,
                                     Bandwidth::superwideband, Bandwidth::fullband}[config / 4 - 4];
        facts.frame_duration = sizes[config % 4];
    }

    switch (toc & 0x03) {
    case 0:
        facts.frames = 1;
        break;
    case 1:
    case 2:
        facts.frames = 2;
        break;
    default:
        if (packet.size() < 2)
            return std::nullopt;
        facts.frames = std::to_integer<int>(packet[1]) & 0x3F;
    }
    if (facts.frames == 0 || facts.duration() > 120ms)
        return std::nullopt;
    return facts;
}

} // namespace jkvm
