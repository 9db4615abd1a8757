// SPDX-License-Identifier: LGPL-2.1-or-later
#include "frame_coder.h"

#include <algorithm>
#include <cstring>

namespace jkvm {

namespace {

constexpr std::size_t max_frame = std::size_t{OpusFrameEncoder::rate} / 1000 * 60; // per channel
// So often anybody looks at them.
constexpr std::size_t levels_interval = OpusFrameEncoder::rate / 10; // samples per channel

} // namespace

FrameCoder::FrameCoder(unsigned channels)
    : channels_(channels), turned_(max_frame * channels), unmeasured_(levels_interval)
{}

Status FrameCoder::apply(const EncoderSettings &settings)
{
    if (encoder_ && encoder_->settings().audio_type == settings.audio_type)
        return encoder_->apply(settings);
    auto encoder = OpusFrameEncoder::create(channels_, settings);
    if (!encoder)
        return encoder.error();
    is_new_ = is_fresh_ = encoder_.has_value();
    encoder_ = std::move(*encoder);
    return Done{};
}

std::span<const std::int16_t> FrameCoder::turn_volume(std::span<const std::int16_t> samples,
                                                      bool is_silence)
{
    if (is_silence) {
        gain_.skip();
        return samples;
    }
    if (gain_.is_unity())
        return samples;
    const auto turned = std::span(turned_).first(samples.size());
    gain_.apply(samples, channels_, turned);
    return turned;
}

Result<std::size_t> FrameCoder::code(std::span<const std::int16_t> samples, bool is_silence,
                                     std::span<const std::int16_t> history, std::span<std::byte> to)
{
    const auto begin = monotonic_now();
    const auto sound = turn_volume(samples, is_silence);
    unmeasured_ += sound.size() / channels_;
    if (unmeasured_ >= levels_interval) {
        unmeasured_ = 0;
        stats_.levels = measure_levels(sound, channels_);
    }
    std::size_t size = sound.size_bytes();
    if (output_ == Output::samples) {
        std::memcpy(to.data(), sound.data(), size);
    } else {
        if (std::exchange(is_new_, false))
            encoder_->prime(history);
        auto encoded = encoder_->encode(sound, to, std::exchange(is_fresh_, false));
        if (!encoded)
            return encoded.error();
        size = *encoded;
        stats_.dtx_frames += size <= largest_dtx_packet ? 1 : 0;
        if (size > largest_dtx_packet)
            stats_.last = opus_packet_facts(to.first(size));
        stats_.encode_time.record(monotonic_now() - begin);
    }
    ++stats_.frames;
    stats_.bytes += size;
    stats_.processing_time += monotonic_now() - begin;
    return size;
}

} // namespace jkvm
