// SPDX-License-Identifier: LGPL-2.1-or-later
#include "codec/opus_encoder.h"

#include <array>
#include <tuple>

namespace jkvm {

namespace {

Error refused(const std::string &setting, int code)
{
    return {ErrorKind::encoder_setup, setting, std::string("libopus: ") + opus_strerror(code)};
}

/// The maximum bandwidth: that of the settings, limited by the rate of the stream.
opus_int32 max_bandwidth(const EncoderSettings &settings)
{
    const auto of_rate = settings.rate <= 8000    ? Bandwidth::narrowband
                         : settings.rate <= 12000 ? Bandwidth::mediumband
                         : settings.rate <= 16000 ? Bandwidth::wideband
                         : settings.rate <= 24000 ? Bandwidth::superwideband
                                                  : Bandwidth::fullband;
    const auto configured =
        settings.bandwidth == Bandwidth::automatic ? Bandwidth::fullband : settings.bandwidth;
    return static_cast<opus_int32>(std::min(of_rate, configured));
}

} // namespace

Result<OpusFrameEncoder> OpusFrameEncoder::create(unsigned channels,
                                                  const EncoderSettings &settings)
{
    int code = OPUS_OK;
    Handle handle(opus_encoder_create(rate, static_cast<int>(channels),
                                      static_cast<int>(settings.audio_type), &code));
    if (!handle)
        return refused(std::to_string(channels) + " channels", code);
    OpusFrameEncoder encoder(std::move(handle));
    auto *state = encoder.handle_.get();
    if (code = opus_encoder_ctl(state, OPUS_SET_LSB_DEPTH(16)); code != OPUS_OK)
        return refused("sample depth 16", code);
    opus_int32 look_ahead = 0;
    if (code = opus_encoder_ctl(state, OPUS_GET_LOOKAHEAD(&look_ahead)); code != OPUS_OK)
        return refused("look-ahead", code);
    encoder.look_ahead_ = nanoseconds(std::chrono::seconds(look_ahead)) / rate;
    if (const auto applied = encoder.apply(settings); !applied)
        return applied.error();
    return encoder;
}

Status OpusFrameEncoder::apply(const EncoderSettings &settings)
{
    const struct {
        const char *name;
        int request;
        opus_int32 value;
    } controls[] = {
        {"bitrate", OPUS_SET_BITRATE_REQUEST, static_cast<opus_int32>(settings.bitrate)},
        {"complexity", OPUS_SET_COMPLEXITY_REQUEST, static_cast<opus_int32>(settings.complexity)},
        {"vbr", OPUS_SET_VBR_REQUEST, settings.bitrate_type != BitrateType::cbr},
        {"constrained vbr", OPUS_SET_VBR_CONSTRAINT_REQUEST,
         settings.bitrate_type == BitrateType::constrained_vbr},
        {"signal", OPUS_SET_SIGNAL_REQUEST, static_cast<opus_int32>(settings.signal)},
        {"bandwidth", OPUS_SET_MAX_BANDWIDTH_REQUEST, max_bandwidth(settings)},
        {"channels", OPUS_SET_FORCE_CHANNELS_REQUEST, static_cast<opus_int32>(settings.channels)},
        {"dtx", OPUS_SET_DTX_REQUEST, settings.dtx},
        {"inband-fec", OPUS_SET_INBAND_FEC_REQUEST, settings.inband_fec},
        {"packet-loss-percentage", OPUS_SET_PACKET_LOSS_PERC_REQUEST,
         static_cast<opus_int32>(settings.packet_loss_percentage)},
    };
    for (const auto &[name, request, value] : controls)
        if (const int code = opus_encoder_ctl(handle_.get(), request, value); code != OPUS_OK)
            return refused(std::string(name) + " " + std::to_string(value), code);
    settings_ = settings;
    return Done{};
}

void OpusFrameEncoder::prime(std::span<const std::int16_t> samples)
{
    if (samples.empty())
        return;
    std::array<unsigned char, max_packet_size> unused; // NOLINT: filled by libopus
    // encode() reports a failure with the next frame.
    std::ignore = opus_encode(handle_.get(), samples.data(), static_cast<int>(prime_samples),
                              unused.data(), static_cast<opus_int32>(unused.size()));
}

Result<std::size_t> OpusFrameEncoder::encode(std::span<const std::int16_t> samples,
                                             std::span<std::byte> packet, bool independent)
{
    if (independent)
        opus_encoder_ctl(handle_.get(), OPUS_SET_PREDICTION_DISABLED(1));
    const auto size = opus_encode(handle_.get(), samples.data(), static_cast<int>(frame_samples()),
                                  reinterpret_cast<unsigned char *>(packet.data()),
                                  static_cast<opus_int32>(packet.size()));
    if (independent)
        opus_encoder_ctl(handle_.get(), OPUS_SET_PREDICTION_DISABLED(0));
    if (size < 0)
        return Error{ErrorKind::encode_failed, "opus_encode",
                     std::string("libopus: ") + opus_strerror(size)};
    return static_cast<std::size_t>(size);
}

std::size_t OpusFrameEncoder::frame_samples() const
{
    return static_cast<std::size_t>(settings_.frame * rate / std::chrono::seconds(1));
}

int OpusFrameEncoder::pre_skip() const
{
    return static_cast<int>(look_ahead_ * 48000 / std::chrono::seconds(1));
}

} // namespace jkvm
