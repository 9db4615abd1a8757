// SPDX-License-Identifier: LGPL-2.1-or-later
// Opus packets of a test signal, and the level at which it was played.
#pragma once

#include "core/base/time.h"
#include "support/played_audio.h"

#include <opus.h>

#include <cstddef>
#include <memory>
#include <vector>

namespace jkvm::testing {

/// A voice-like signal: bursts of 440 Hz that last two packets, one in ten packets. Concealment
/// cannot know a burst whose first packet is lost.
class Bursts {
public:
    static constexpr int distance = 10; // packets
    static constexpr int first = 5;
    static bool begins_at(int packet) { return packet % distance == first; }

    /// `is_continuous`: the tone never pauses.
    Bursts(bool has_fec, bool is_continuous);

    /// Encodes the next packet. `frames`: its length at 48 kHz.
    std::vector<unsigned char> next(int frames = 960);

private:
    bool is_continuous_;
    std::unique_ptr<OpusEncoder, decltype(&opus_encoder_destroy)> encoder_;
    int index_ = 0;
};

/// Returns the lowest level of any 5 ms in that time, in 16-bit units.
double lowest_level(const PlayedAudio &played, nanoseconds begin, nanoseconds end);

} // namespace jkvm::testing
