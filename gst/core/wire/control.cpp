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

/// Returns the n-th field; all fields are 32 bits wide.
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
    return config.is_valid() ? std::optional(config) : std::nullopt;
}

bool EncoderConfig::is_valid() const
{
    const bool is_signal =
        signal == signal_auto || signal == signal_voice || signal == signal_music;
    return is_opus(stream) && bitrate >= min_bitrate && bitrate <= max_bitrate &&
           complexity <= max_complexity && is_signal && bandwidth >= narrowband &&
           bandwidth <= fullband;
}

EncoderConfigFields EncoderConfig::fields() const
{
    return {.sample_rate = stream.sample_rate,
            .channels = stream.channels,
            .frame_size = stream.frame_size,
            .bitrate = bitrate,
            .complexity = complexity,
            .vbr = vbr,
            .signal = signal,
            .bandwidth = bandwidth,
            .dtx = dtx};
}

const char *name_of(CloseReason reason)
{
    switch (reason) {
    case CloseReason::too_many:
        return "too-many";
    case CloseReason::replaced:
        return "replaced";
    case CloseReason::forbidden:
        return "forbidden";
    }
    return "";
}

bool EncoderConfigFields::is_complete() const
{
    return sample_rate && channels && frame_size && bitrate && complexity && vbr && signal &&
           bandwidth && dtx;
}

EncoderConfig EncoderConfigFields::applied_to(EncoderConfig config) const
{
    auto &stream = config.stream;
    if (sample_rate && !frame_size && stream.sample_rate > 0)
        stream.frame_size = static_cast<std::uint32_t>(std::uint64_t{stream.frame_size} *
                                                       *sample_rate / stream.sample_rate);
    stream.sample_rate = sample_rate.value_or(stream.sample_rate);
    stream.channels = channels.value_or(stream.channels);
    stream.frame_size = frame_size.value_or(stream.frame_size);
    config.bitrate = bitrate.value_or(config.bitrate);
    config.complexity = complexity.value_or(config.complexity);
    config.vbr = vbr.value_or(config.vbr);
    config.signal = signal.value_or(config.signal);
    config.bandwidth = bandwidth.value_or(config.bandwidth);
    config.dtx = dtx.value_or(config.dtx);
    return config;
}

EncoderConfigFields EncoderConfigFields::merged_with(const EncoderConfigFields &later) const
{
    const auto newest = [](const auto &earlier_field, const auto &later_field) {
        return later_field ? later_field : earlier_field;
    };
    return {.sample_rate = newest(sample_rate, later.sample_rate),
            .channels = newest(channels, later.channels),
            .frame_size = newest(frame_size, later.frame_size),
            .bitrate = newest(bitrate, later.bitrate),
            .complexity = newest(complexity, later.complexity),
            .vbr = newest(vbr, later.vbr),
            .signal = newest(signal, later.signal),
            .bandwidth = newest(bandwidth, later.bandwidth),
            .dtx = newest(dtx, later.dtx)};
}

} // namespace jkvm::wire
