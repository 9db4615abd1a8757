// SPDX-License-Identifier: LGPL-2.1-or-later
// The payloads of the control messages.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace jkvm::wire {

/// What the sender is going to send: the payload of Config, 12 bytes.
struct StreamConfig {
    static constexpr std::size_t size = 12;

    std::uint32_t sample_rate = 48000; ///< Hz: 8000, 12000, 16000, 24000 or 48000
    std::uint32_t channels = 2;        ///< 1 or 2
    std::uint32_t frame_size = 960;    ///< samples per channel in a frame: 2.5 to 120 ms

    [[nodiscard]] std::array<std::byte, size> encode() const;
    /// Nothing for a payload of another size, and for values that Opus does not have.
    static std::optional<StreamConfig> decode(std::span<const std::byte> payload);

    bool operator==(const StreamConfig &) const = default;
};

/// How the receiver would like it encoded: the payload of OpusConfig, 36 bytes.
struct EncoderConfig {
    static constexpr std::size_t size = 36;

    static constexpr std::int32_t signal_auto = -1000; ///< libopus' numbers
    static constexpr std::int32_t signal_voice = 3001;
    static constexpr std::int32_t signal_music = 3002;

    StreamConfig stream;
    std::uint32_t bitrate = 96000; ///< bit/s, 500 to 512000
    std::uint32_t complexity = 2;  ///< 0 to 10
    bool vbr = true;
    std::int32_t signal = signal_auto;
    std::uint32_t bandwidth = 1105; ///< 1101 narrow, medium, wide, super-wide, 1105 full band
    bool dtx = false;

    [[nodiscard]] std::array<std::byte, size> encode() const;
    /// Nothing for a payload of another size, and for values out of their range.
    static std::optional<EncoderConfig> decode(std::span<const std::byte> payload);

    bool operator==(const EncoderConfig &) const = default;
};

} // namespace jkvm::wire
