// SPDX-License-Identifier: LGPL-2.1-or-later
// What an Opus packet says about itself in its first bytes, without decoding it (RFC 6716, 3.1).
#pragma once

#include "core/base/time.h"
#include "core/opus/encoder_settings.h"

#include <cstddef>
#include <optional>
#include <span>

namespace jkvm {

/// What libopus sends for a frame that DTX leaves out is the first byte of a packet alone, or with
/// a second one. Bytes.
inline constexpr std::size_t largest_dtx_packet = 2;

enum class OpusMode { silk, hybrid, celt };

struct OpusPacketFacts {
    OpusMode mode;
    Bandwidth bandwidth; ///< that was coded; never automatic
    bool stereo;         ///< coded as stereo; a mono packet may well belong to a stereo stream
    int frames;          ///< 1 .. 48
    nanoseconds frame_duration;                                                    ///< 2.5 .. 60 ms
    [[nodiscard]] nanoseconds duration() const { return frames * frame_duration; } ///< <= 120 ms
};

/// "silk", "hybrid", "celt".
const char *name_of(OpusMode mode);

/// In what steps a decoder conceals well behind a packet of that mode: a whole frame of SILK's
/// is the least that does not click.
constexpr nanoseconds conceal_quantum(OpusMode mode)
{
    using namespace std::chrono_literals;
    return mode == OpusMode::celt ? nanoseconds(2500us) : nanoseconds(10ms);
}

/// Nothing for a packet that is empty, cut short or longer than the 120 ms that the standard
/// allows.
std::optional<OpusPacketFacts> opus_packet_facts(std::span<const std::byte> packet);

} // namespace jkvm
