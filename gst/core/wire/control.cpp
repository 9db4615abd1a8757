// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/wire/control.h"

#include "core/wire/bytes.h"

#include <algorithm>

namespace jkvm::wire {

namespace {

constexpr std::uint32_t min_bitrate = 500;
constexpr std::uint32_t max_bitrate = 512000;
constexpr std::uint32_t max_complexity = 10;
constexpr std::uint32_t narrowband = 1101;
constexpr std::uint32_t fullband = 1105;

/// All fields are 32 bits wide; this is the n-th.
std::uint32_t field(std::span<const std::byte> payload, std::size_t n)
{
    return get_le<std::uint32_t>(payload, 4 * n);
}

void set_field(std::span<std::byte> payload, std::size_t n, std::uint32_t value)
{
    put_le(payload, 4 * n, value);
}

bool is_opus(const StreamConfig &config)
{
    constexpr std::array<std::uint32_t, 5> rates{8000, 12000, 16000, 24000, 48000};
    const bool is_rate = std::ranges::find(rates, config.sample_rate) != rates.end();
    // 2.5 ms is rate / 400 samples; a packet holds up to 48 such frames.
    return is_rate && config.channels >= 1 && config.channels <= 2 &&
           config.frame_size >= config.sample_rate / 400 &&
           config.frame_size <= 48 * (config.sample_rate / 400);
}

} // namespace

std::array<std::byte, StreamConfig::size> StreamConfig::encode() const
{
    std::array<std::byte, size> payload{};
    set_field(payload, 0, sample_rate);
    set_field(payload, 1, channels);
    set_field(payload, 2, frame_size);
    return payload;
}

std::optional<StreamConfig> StreamConfig::decode(std::span<const std::byte> payload)
{
    if (payload.size() != size)
        return std::nullopt;
    const StreamConfig config{field(payload, 0), field(payload, 1), field(payload, 2)};
    return is_opus(config) ? std::optional(config) : std::nullopt;
}

std::array<std::byte, EncoderConfig::size> EncoderConfig::encode() const
{
    std::array<std::byte, size> payload{};
    std::ranges::copy(stream.encode(), payload.begin());
    set_field(payload, 3, bitrate);
    set_field(payload, 4, complexity);
    set_field(payload, 5, vbr ? 1 : 0);
    set_field(payload, 6, static_cast<std::uint32_t>(signal)); // two's complement on the wire
    set_field(payload, 7, bandwidth);
    set_field(payload, 8, dtx ? 1 : 0);
    return payload;
}

std::optional<EncoderConfig> EncoderConfig::decode(std::span<const std::byte> payload)
{
    if (payload.size() != size)
        return std::nullopt;
    const auto stream = StreamConfig::decode(payload.first(StreamConfig::size));
    if (!stream || field(payload, 5) > 1 || field(payload, 8) > 1)
        return std::nullopt;
    const EncoderConfig config{.stream = *stream,
                               .bitrate = field(payload, 3),
                               .complexity = field(payload, 4),
                               .vbr = field(payload, 5) == 1,
                               .signal = static_cast<std::int32_t>(field(payload, 6)),
                               .bandwidth = field(payload, 7),
                               .dtx = field(payload, 8) == 1};
    const bool is_signal = config.signal == signal_auto || config.signal == signal_voice ||
                           config.signal == signal_music;
    const bool is_in_range = config.bitrate >= min_bitrate && config.bitrate <= max_bitrate &&
                             config.complexity <= max_complexity && is_signal &&
                             config.bandwidth >= narrowband && config.bandwidth <= fullband;
    return is_in_range ? std::optional(config) : std::nullopt;
}

} // namespace jkvm::wire
