// SPDX-License-Identifier: LGPL-2.1-or-later
// Encodes and decodes the payloads of the control messages.
#pragma once

#include "core/base/codec.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace jkvm::wire {

/// The format of a stream: the payload of Config, 12 bytes.
struct StreamConfig {
    static constexpr std::size_t size = 12;

    std::uint32_t sample_rate = 48000; ///< Hz: 8000, 12000, 16000, 24000 or 48000
    std::uint32_t channels = 2;        ///< 1 or 2
    std::uint32_t frame_size = 960;    ///< samples per channel in a frame: 2.5 to 120 ms
    Codec codec = Codec::opus;         ///< not in the payload: the protocol has no other

    [[nodiscard]] std::array<std::byte, size> encode() const;
    /// Returns nothing for a payload of another size, and for values that Opus does not have.
    static std::optional<StreamConfig> decode(std::span<const std::byte> payload);

    bool operator==(const StreamConfig &) const = default;
};

struct EncoderConfigFields;

/// Settings of an encoder, as a receiver requests them: the payload of OpusConfig, 36 bytes.
struct EncoderConfig {
    static constexpr std::size_t size = 36;

    static constexpr std::int32_t signal_auto = -1000; ///< values of libopus
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
    /// Returns nothing for a payload of another size, and for values out of their range.
    static std::optional<EncoderConfig> decode(std::span<const std::byte> payload);
    /// Whether every value is in its range.
    [[nodiscard]] bool is_valid() const;
    /// Returns all values as fields.
    [[nodiscard]] EncoderConfigFields fields() const;

    bool operator==(const EncoderConfig &) const = default;
};

/// Why a listening end closes a connection: the optional payload of Stop, 1 byte.
enum class CloseReason : std::uint8_t {
    too_many = 1,  ///< no room for another client
    replaced = 2,  ///< a newer client is served instead
    forbidden = 3, ///< the client's user may not connect, or the application refused it
};
/// Returns the nick for messages and logs, such as "too-many".
const char *name_of(CloseReason reason);

/// Some of the settings of an encoder; the others are unknown or stay as they are.
struct EncoderConfigFields {
    std::optional<std::uint32_t> sample_rate; ///< Hz
    std::optional<std::uint32_t> channels;
    std::optional<std::uint32_t> frame_size; ///< samples per channel
    std::optional<std::uint32_t> bitrate;    ///< bit/s
    std::optional<std::uint32_t> complexity;
    std::optional<bool> vbr;
    std::optional<std::int32_t> signal;
    std::optional<std::uint32_t> bandwidth;
    std::optional<bool> dtx;

    /// Whether every field has a value.
    [[nodiscard]] bool is_complete() const;
    /// Returns `config` with the fields that have a value replaced. A new sample rate alone keeps
    /// the duration of a frame.
    [[nodiscard]] EncoderConfig applied_to(EncoderConfig config) const;
    /// Fields of `later` override those of this object.
    [[nodiscard]] EncoderConfigFields merged_with(const EncoderConfigFields &later) const;

    bool operator==(const EncoderConfigFields &) const = default;
};

} // namespace jkvm::wire
