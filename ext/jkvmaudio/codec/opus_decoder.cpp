// SPDX-License-Identifier: LGPL-2.1-or-later
#include "codec/opus_decoder.h"

#include "core/opus/opus_packet.h"

#include <algorithm>
#include <array>

namespace jkvm {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t to_samples(nanoseconds time)
{
    return static_cast<std::size_t>(time * OpusFrameDecoder::rate / 1s);
}

// libopus conceals in steps of 2.5 ms.
constexpr std::size_t plc_step = to_samples(2500us);

const unsigned char *bytes_of(std::span<const std::byte> packet)
{
    return reinterpret_cast<const unsigned char *>(packet.data());
}

} // namespace

bool has_in_band_fec(std::span<const std::byte> packet)
{
    const auto facts = opus_packet_facts(packet);
    if (!facts || facts->mode == OpusMode::celt)
        return false;
    std::array<const unsigned char *, 48> frames{};
    std::array<opus_int16, 48> sizes{};
    const int count = opus_packet_parse(bytes_of(packet), static_cast<opus_int32>(packet.size()),
                                        nullptr, frames.data(), sizes.data(), nullptr);
    if (count <= 0 || sizes[0] == 0)
        return false;
    // RFC 6716, 4.2.3: for each channel one VAD flag per 20 ms, then the LBRR flag.
    const auto vad_flags = std::max<std::int64_t>(1, facts->frame_duration / 20ms);
    const unsigned first = frames[0][0];
    const bool middle = ((first >> (7 - vad_flags)) & 1U) != 0;
    const bool side = facts->stereo && ((first >> (6 - 2 * vad_flags)) & 1U) != 0;
    return middle || side;
}

Result<OpusFrameDecoder> OpusFrameDecoder::create(unsigned channels)
{
    int code = OPUS_OK;
    Handle handle(opus_decoder_create(rate, static_cast<int>(channels), &code));
    if (!handle)
        return Error{ErrorKind::out_of_resources, std::to_string(channels) + " channels",
                     std::string("opus_decoder_create: ") + opus_strerror(code)};
    return OpusFrameDecoder(std::move(handle), channels);
}

std::span<const float> OpusFrameDecoder::decode(std::span<const std::byte> packet)
{
    const auto facts = opus_packet_facts(packet);
    if (facts)
        packet_samples_ = to_samples(facts->duration());
    // An empty packet would be concealed by libopus, which would not be counted or faded.
    const int count = packet.empty()
                          ? OPUS_INVALID_PACKET
                          : opus_decode_float(handle_.get(), bytes_of(packet),
                                              static_cast<opus_int32>(packet.size()),
                                              output_.data(), static_cast<int>(max_samples), 0);
    if (count < 0) {
        ++counters_.invalid;
        return conceal(packet_samples_);
    }
    faded_ = 0;
    return std::span(output_).first(static_cast<std::size_t>(count) * channels_);
}

std::span<const float> OpusFrameDecoder::conceal(std::size_t samples,
                                                 std::span<const std::byte> next)
{
    samples = std::min(samples, max_samples);
    std::size_t recovered = 0;
    if (has_in_band_fec(next)) {
        const auto frame = to_samples(opus_packet_facts(next)->frame_duration);
        recovered = frame <= samples ? frame : 0;
    }
    const auto concealed = samples - recovered;
    run_plc(0, concealed);
    counters_.concealed += concealed;
    if (recovered > 0 &&
        opus_decode_float(handle_.get(), bytes_of(next), static_cast<opus_int32>(next.size()),
                          output_.data() + concealed * channels_, static_cast<int>(recovered),
                          1) == static_cast<int>(recovered)) {
        faded_ = 0;
        counters_.fec_recovered += recovered;
    } else if (recovered > 0) {
        run_plc(concealed, recovered);
        counters_.concealed += recovered;
    }
    return std::span(output_).first(samples * channels_);
}

void OpusFrameDecoder::run_plc(std::size_t first, std::size_t samples)
{
    const auto end = to_samples(fade_end);
    const auto audible = std::min(samples, end - std::min(faded_, end));
    // Rounded up if the output has room for it; the excess samples are not used.
    const auto room = (max_samples - first) / plc_step * plc_step;
    const auto steps = std::min((audible + plc_step - 1) / plc_step * plc_step, room);
    float *output = output_.data() + first * channels_;
    int count = 0;
    if (steps > 0)
        count = opus_decode_float(handle_.get(), nullptr, 0, output, static_cast<int>(steps), 0);
    const auto made = std::min(static_cast<std::size_t>(std::max(count, 0)), audible);
    std::fill_n(output + made * channels_, (samples - made) * channels_, 0.0F);
    const bool was_audible = faded_ < end;
    fade(first, made);
    faded_ += samples;
    // After a complete fade-out the decoder must not extrapolate from the audio before the loss.
    if (was_audible && faded_ >= end)
        opus_decoder_ctl(handle_.get(), OPUS_RESET_STATE);
}

void OpusFrameDecoder::fade(std::size_t first, std::size_t samples)
{
    const auto begin = to_samples(fade_start);
    const auto end = to_samples(fade_end);
    for (std::size_t i = 0; i < samples; ++i) {
        const auto position = std::clamp(faded_ + i, begin, end);
        const float gain = static_cast<float>(end - position) / static_cast<float>(end - begin);
        for (unsigned c = 0; c < channels_; ++c)
            output_[(first + i) * channels_ + c] *= gain;
    }
}

void OpusFrameDecoder::reset()
{
    opus_decoder_ctl(handle_.get(), OPUS_RESET_STATE);
    faded_ = 0;
}

} // namespace jkvm
