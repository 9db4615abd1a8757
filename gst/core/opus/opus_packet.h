// SPDX-License-Identifier: LGPL-2.1-or-later
// Parses the properties of an Opus packet from its first bytes (RFC 6716, section 3.1).
#pragma once

#include "core/base/time.h"
#include "core/opus/encoder_settings.h"

#include <cstddef>
#include <optional>
#include <span>

namespace jkvm {

/// Maximum size of the packets that libopus sends for frames omitted by DTX: a TOC byte, alone or
/// with one more (bytes).
inline constexpr std::size_t largest_dtx_packet = 2;
/// Maximum size of the packets that contain no audio: those of DTX, and libopus's coding of digital
/// silence at a variable bitrate (bytes).
inline constexpr std::size_t largest_silent_packet = 3;

enum class OpusMode { silk, hybrid, celt };

struct OpusPacketFacts {
    OpusMode mode;
    Bandwidth bandwidth;        ///< coded bandwidth; never automatic
    bool stereo;                ///< coded in stereo; a stereo stream may contain mono packets
    int frames;                 ///< 1 .. 48
    nanoseconds frame_duration; ///< 2.5 .. 60 ms
    [[nodiscard]] nanoseconds duration() const { return frames * frame_duration; } ///< <= 120 ms
};

/// Returns "silk", "hybrid" or "celt".
const char *name_of(OpusMode mode);

/// Granularity in which a decoder conceals well after a packet of that mode. SILK clicks unless a
/// whole frame is concealed.
constexpr nanoseconds conceal_quantum(OpusMode mode)
{
    using namespace std::chrono_literals;
    return mode == OpusMode::celt ? nanoseconds(2500us) : nanoseconds(10ms);
}

/// Returns nothing if the packet is empty, truncated or longer than the 120 ms that the standard
/// allows.
std::optional<OpusPacketFacts> opus_packet_facts(std::span<const std::byte> packet);

} // namespace jkvm
