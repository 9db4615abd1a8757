// SPDX-License-Identifier: LGPL-2.1-or-later
#include "codec/frame_coder.h"

#include <algorithm>
#include <cstring>

namespace jkvm {

namespace {

constexpr std::size_t max_frame = std::size_t{OpusFrameEncoder::rate} / 1000 * 60; // per channel
// Interval between level measurements.
constexpr std::size_t levels_interval = OpusFrameEncoder::rate / 5; // samples per channel

} // namespace

FrameCoder::FrameCoder(unsigned channels)
    : channels_(channels), scaled_(max_frame * channels), unmeasured_(levels_interval)
{}

Status FrameCoder::apply(const EncoderSettings &settings)
{
    if (encoder_ && encoder_->settings().audio_type == settings.audio_type)
        return encoder_->apply(settings);
    auto encoder = OpusFrameEncoder::create(channels_, settings);
    if (!encoder)
        return encoder.error();
    is_new_ = needs_independent_packet_ = encoder_.has_value();
    encoder_ = std::move(*encoder);
    return Done{};
}

std::span<const std::int16_t> FrameCoder::apply_volume(std::span<const std::int16_t> samples,
                                                       bool is_silence)
{
    if (is_silence) {
        gain_.finish_change();
        return samples;
    }
    if (gain_.is_unity())
        return samples;
    const auto scaled = std::span(scaled_).first(samples.size());
    gain_.apply(samples, channels_, scaled);
    return scaled;
}

Result<FrameCoder::Coded> FrameCoder::code(std::span<const std::int16_t> samples, bool is_silence,
                                           std::span<const std::int16_t> history,
                                           std::span<std::byte> to)
{
    const auto begin = monotonic_now();
    const auto scaled = apply_volume(samples, is_silence);
    Coded coded{.size = scaled.size_bytes(), .is_opus = output_ == Output::opus};
    unmeasured_ += scaled.size() / channels_;
    if (unmeasured_ >= levels_interval) {
        unmeasured_ = 0;
        coded.levels = measure_levels(scaled, channels_);
    }
    if (coded.is_opus) {
        if (std::exchange(is_new_, false))
            encoder_->prime(history);
        auto size = encoder_->encode(scaled, to, std::exchange(needs_independent_packet_, false));
        if (!size)
            return size.error();
        coded.size = *size;
        if (coded.size > largest_dtx_packet)
            coded.facts = opus_packet_facts(to.first(coded.size));
    } else {
        std::memcpy(to.data(), scaled.data(), coded.size);
    }
    coded.time = monotonic_now() - begin;
    return coded;
}

void FrameCoder::Stats::add(const Coded &coded)
{
    ++frames;
    bytes += coded.size;
    processing_time += coded.time;
    if (coded.is_opus) {
        encode_time.record(coded.time);
        dtx_frames += coded.size <= largest_dtx_packet ? 1 : 0;
    }
    if (coded.facts)
        last = coded.facts;
    if (coded.levels)
        levels = *coded.levels;
}

} // namespace jkvm
