// SPDX-License-Identifier: LGPL-2.1-or-later
// The settings of an Opus encoder: their values, contradictions between them, and the part that a
// receiver may request.
#pragma once

#include "core/base/time.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <vector>

namespace jkvm {

enum class BitrateType { cbr, vbr, constrained_vbr };

/// The values of the following three enums are those of libopus.
enum class AudioType { voice = 2048, generic = 2049, restricted_lowdelay = 2051 };
enum class SignalHint { automatic = -1000, voice = 3001, music = 3002 };
enum class Bandwidth {
    automatic = -1000, ///< chosen for the bitrate
    narrowband = 1101, ///< 4 kHz
    mediumband,        ///< 6 kHz
    wideband,          ///< 8 kHz
    superwideband,     ///< 12 kHz
    fullband,          ///< 20 kHz
};

/// All frame lengths that one call of the encoder can produce.
inline constexpr std::array<nanoseconds, 6> frame_lengths{
    std::chrono::microseconds(2500), std::chrono::milliseconds(5),  std::chrono::milliseconds(10),
    std::chrono::milliseconds(20),   std::chrono::milliseconds(40), std::chrono::milliseconds(60)};

/// The defaults are the preset "medium" of the output path.
struct EncoderSettings {
    unsigned rate = 48000; ///< Hz, of the stream; frequencies above half of it are not encoded
    unsigned channels = 2; ///< encoded, 1 or 2
    nanoseconds frame = std::chrono::milliseconds(20); ///< one of frame_lengths
    unsigned bitrate = 96000;                          ///< bit/s
    BitrateType bitrate_type = BitrateType::constrained_vbr;
    unsigned complexity = 2; ///< 0..10
    AudioType audio_type = AudioType::generic;
    SignalHint signal = SignalHint::automatic;
    Bandwidth bandwidth = Bandwidth::fullband; ///< maximum
    bool dtx = false;
    bool inband_fec = false;
    unsigned packet_loss_percentage = 0; ///< expected, in percent

    bool operator==(const EncoderSettings &) const = default;
};

/// Returns one sentence for each setting that has no effect, or a harmful one, in combination with
/// the others.
std::vector<std::string_view> contradictions(const EncoderSettings &settings);

/// A receiver's request; fields without a value keep the current setting.
struct EncoderRequest {
    std::optional<nanoseconds> frame;
    std::optional<unsigned> bitrate;
    std::optional<unsigned> complexity;
    std::optional<bool> dtx;
    std::optional<unsigned> packet_loss_percentage;
};

/// The range from which receivers may choose, bit/s.
struct BitrateLimits {
    unsigned minimum = 4000;
    unsigned maximum = 650000;
};

/// Returns the settings with the request applied. The bitrate is clamped to the limits and other
/// values to their range; a frame length that does not exist is ignored.
EncoderSettings apply_request(const EncoderRequest &request, EncoderSettings settings,
                              const BitrateLimits &limits);

} // namespace jkvm
