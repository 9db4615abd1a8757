// SPDX-License-Identifier: LGPL-2.1-or-later
#include "playback/stream_decoder.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace jkvm {

using namespace std::chrono_literals;

namespace {

template <typename Word>
Word load_little_endian(const std::byte *from)
{
    Word word = 0;
    for (std::size_t i = 0; i < sizeof(Word); ++i)
        word = static_cast<Word>(word | (static_cast<Word>(from[i]) << (8 * i)));
    return word;
}

float load_sample(PlaybackFormat::Coding coding, const std::byte *from)
{
    if (coding == PlaybackFormat::Coding::f32)
        return std::bit_cast<float>(load_little_endian<std::uint32_t>(from));
    return static_cast<float>(static_cast<std::int16_t>(load_little_endian<std::uint16_t>(from))) /
           32768;
}

} // namespace

OpusFrameDecoder *StreamDecoder::opus(unsigned channels)
{
    if (!opus_ || opus_->channels() != channels) {
        earlier_ = counters();
        opus_.reset();
        if (auto made = OpusFrameDecoder::create(channels))
            opus_.emplace(std::move(*made));
    }
    return opus_ ? &*opus_ : nullptr;
}

OpusFrameDecoder::Counters StreamDecoder::counters() const
{
    auto sum = earlier_;
    if (opus_) {
        sum.concealed += opus_->counters().concealed;
        sum.fec_recovered += opus_->counters().fec_recovered;
        sum.invalid += opus_->counters().invalid;
    }
    return sum;
}

std::span<const float> StreamDecoder::decode(const PlaybackFormat &format,
                                             std::span<const std::byte> data)
{
    if (format.coding == PlaybackFormat::Coding::opus) {
        auto *decoder = opus(format.channels);
        return decoder ? apply_gain(decoder->decode(data), format.channels)
                       : std::span<const float>();
    }
    const std::size_t bytes = format.coding == PlaybackFormat::Coding::s16 ? 2 : 4;
    const auto count = data.size() / (bytes * format.channels) * format.channels;
    raw_.resize(count);
    for (std::size_t i = 0; i < count; ++i)
        raw_[i] = load_sample(format.coding, data.data() + i * bytes);
    return apply_gain(raw_, format.channels);
}

std::span<const float> StreamDecoder::conceal(const PlaybackFormat &format, nanoseconds duration,
                                              std::span<const std::byte> next)
{
    auto *decoder = format.coding == PlaybackFormat::Coding::opus ? opus(format.channels) : nullptr;
    if (decoder == nullptr)
        return {};
    const auto samples = static_cast<std::size_t>(duration * OpusFrameDecoder::rate / 1s);
    return apply_gain(decoder->conceal(samples, next), format.channels);
}

std::span<const float> StreamDecoder::apply_gain(std::span<const float> samples, unsigned channels)
{
    if (gain_ == 1 && gain_target_ == 1)
        return samples;
    scaled_.resize(samples.size());
    const auto frames = static_cast<float>(std::max<std::size_t>(samples.size() / channels, 1));
    for (std::size_t i = 0; i < samples.size(); ++i) {
        const std::size_t frame = i / channels;
        const float part = static_cast<float>(frame) / frames;
        scaled_[i] = samples[i] * (gain_ + (gain_target_ - gain_) * part);
    }
    gain_ = gain_target_;
    return scaled_;
}

void StreamDecoder::reset()
{
    if (opus_)
        opus_->reset();
}

} // namespace jkvm
