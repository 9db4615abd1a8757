// SPDX-License-Identifier: LGPL-2.1-or-later
#include "opus_encoder.h"

namespace jkvm {

namespace {

Error refused(const std::string &setting, int code)
{
    return {ErrorKind::encoder_setup, setting, std::string("libopus: ") + opus_strerror(code)};
}

} // namespace

Result<OpusFrameEncoder> OpusFrameEncoder::create(const Config &config)
{
    int code = OPUS_OK;
    Handle handle(opus_encoder_create(config.rate, config.channels, OPUS_APPLICATION_AUDIO, &code));
    if (!handle)
        return refused(std::to_string(config.rate) + " Hz, " + std::to_string(config.channels) +
                           " channels",
                       code);
    OpusFrameEncoder encoder(config, std::move(handle));
    auto *state = encoder.handle_.get();

    if (code = opus_encoder_ctl(state, OPUS_SET_BITRATE(config.bitrate)); code != OPUS_OK)
        return refused("bitrate " + std::to_string(config.bitrate), code);
    if (code = opus_encoder_ctl(state, OPUS_SET_COMPLEXITY(config.complexity)); code != OPUS_OK)
        return refused("complexity " + std::to_string(config.complexity), code);
    if (code = opus_encoder_ctl(state, OPUS_SET_VBR(1)); code != OPUS_OK)
        return refused("vbr", code);
    if (code = opus_encoder_ctl(state, OPUS_SET_VBR_CONSTRAINT(1)); code != OPUS_OK)
        return refused("constrained vbr", code);
    if (code = opus_encoder_ctl(state, OPUS_SET_LSB_DEPTH(16)); code != OPUS_OK)
        return refused("sample depth 16", code);

    opus_int32 look_ahead = 0;
    if (code = opus_encoder_ctl(state, OPUS_GET_LOOKAHEAD(&look_ahead)); code != OPUS_OK)
        return refused("look-ahead", code);
    encoder.look_ahead_ = nanoseconds(std::chrono::seconds(look_ahead)) / config.rate;
    encoder.frame_samples_ =
        static_cast<std::size_t>(config.frame * config.rate / std::chrono::seconds(1));
    return encoder;
}

Result<std::size_t> OpusFrameEncoder::encode(std::span<const std::int16_t> samples,
                                             std::span<std::byte> packet)
{
    const auto size = opus_encode(handle_.get(), samples.data(), static_cast<int>(frame_samples_),
                                  reinterpret_cast<unsigned char *>(packet.data()),
                                  static_cast<opus_int32>(packet.size()));
    if (size < 0)
        return Error{ErrorKind::encode_failed, "opus_encode",
                     std::string("libopus: ") + opus_strerror(size)};
    return static_cast<std::size_t>(size);
}

int OpusFrameEncoder::pre_skip() const
{
    return static_cast<int>(look_ahead_ * 48000 / std::chrono::seconds(1));
}

std::size_t OpusFrameEncoder::max_packet_size() const
{
    // RFC 6716, 3.2.1: 1275 bytes for each of the codec's own frames, of at most 20 ms, and up to
    // 7 bytes to say how they are packed when there are several.
    constexpr std::size_t codec_frame_bytes = 1275;
    constexpr std::size_t packing_bytes = 7;
    const auto codec_frames =
        static_cast<std::size_t>(std::max<long>(1, config_.frame / std::chrono::milliseconds(20)));
    return codec_frames * codec_frame_bytes + packing_bytes;
}

} // namespace jkvm
