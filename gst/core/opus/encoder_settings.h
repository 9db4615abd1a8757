// SPDX-License-Identifier: LGPL-2.1-or-later
// How sound is to be coded, as one value: what it may be, what contradicts itself, what a receiver
// may change of it.
#pragma once

#include "core/base/time.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <vector>

namespace jkvm {

enum class BitrateType { cbr, vbr, constrained_vbr };

/// The numbers of these three are libopus'.
enum class AudioType { voice = 2048, generic = 2049, restricted_lowdelay = 2051 };
enum class SignalHint { automatic = -1000, voice = 3001, music = 3002 };
enum class Bandwidth {
    automatic = -1000, ///< as much as the bitrate is good for
    narrowband = 1101, ///< 4 kHz
    mediumband,        ///< 6 kHz
    wideband,          ///< 8 kHz
    superwideband,     ///< 12 kHz
    fullband,          ///< 20 kHz
};

/// All frame lengths that one call of the encoder can make.
inline constexpr std::array<nanoseconds, 6> frame_lengths{
    std::chrono::microseconds(2500), std::chrono::milliseconds(5),  std::chrono::milliseconds(10),
    std::chrono::milliseconds(20),   std::chrono::milliseconds(40), std::chrono::milliseconds(60)};

/// The defaults are the preset "medium" of the output path.
struct EncoderSettings {
    unsigned rate = 48000; ///< Hz, of the stream: what lies above half of it is not coded
    unsigned channels = 2; ///< that are coded, 1 or 2
    nanoseconds frame = std::chrono::milliseconds(20); ///< one of frame_lengths
    unsigned bitrate = 96000;                          ///< bit/s
    BitrateType bitrate_type = BitrateType::constrained_vbr;
    unsigned complexity = 2; ///< 0..10
    AudioType audio_type = AudioType::generic;
    SignalHint signal = SignalHint::automatic;
    Bandwidth bandwidth = Bandwidth::fullband; ///< the highest that is coded
    bool dtx = false;
    bool inband_fec = false;
    unsigned packet_loss_percentage = 0; ///< that the encoder is to expect

    bool operator==(const EncoderSettings &) const = default;
};

/// One sentence for each setting that does nothing or does harm beside the others.
std::vector<std::string_view> contradictions(const EncoderSettings &settings);

/// What a receiver asks for; what it leaves out stays as it is.
struct EncoderRequest {
    std::optional<nanoseconds> frame;
    std::optional<unsigned> bitrate;
    std::optional<unsigned> complexity;
    std::optional<bool> dtx;
    std::optional<unsigned> packet_loss_percentage;
};

/// Within what the owner lets receivers choose, bit/s.
struct BitrateLimits {
    unsigned lowest = 4000;
    unsigned highest = 650000;
};

/// The settings with what is asked for. The bitrate is moved into the limits, and so are the others
/// into what there is; a frame length that there is not is not taken.
EncoderSettings honour(const EncoderRequest &request, EncoderSettings settings,
                       const BitrateLimits &limits);

} // namespace jkvm
