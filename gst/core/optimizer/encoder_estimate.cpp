// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/optimizer/encoder_estimate.h"

#include "core/opus/opus_packet.h"
#include "core/opus/quality_preset.h"

#include <algorithm>
#include <cmath>

namespace jkvm {

namespace {

using namespace std::chrono_literals;

// Range that the control message accepts (bit/s).
constexpr double minimum_bitrate = 500;
constexpr double maximum_bitrate = 512000;

// The duration of an Opus packet is a multiple of this.
constexpr nanoseconds frame_step = 2500us;

EncoderSettings nearest_preset(wire::Direction direction, double bitrate)
{
    const auto distance = [&](Quality quality) {
        return std::abs(std::log(quality_preset(direction, quality).bitrate / bitrate));
    };
    constexpr std::array qualities{Quality::low, Quality::medium, Quality::high, Quality::ultra};
    return quality_preset(direction, *std::ranges::min_element(qualities, {}, distance));
}

} // namespace

double EncoderEstimate::Window::bitrate() const
{
    return 8 * static_cast<double>(bytes) / std::chrono::duration<double>(time).count();
}

void EncoderEstimate::set_format(std::uint32_t sample_rate, std::uint32_t channels)
{
    sample_rate_ = sample_rate;
    channels_ = channels;
}

void EncoderEstimate::restart()
{
    const auto sample_rate = sample_rate_;
    const auto channels = channels_;
    *this = {};
    set_format(sample_rate, channels);
}

void EncoderEstimate::record(const EncodedFrame &frame)
{
    // Buffers of a slewed timeline are slightly longer or shorter than their packets.
    frame_ = std::max((frame.duration + frame_step / 2) / frame_step, std::int64_t{1}) * frame_step;
    uses_dtx_ |= frame.bytes <= largest_dtx_packet;
    if (frame.is_quiet)
        return;
    if (constant_frames_ == 0)
        constant_size_ = frame.bytes;
    has_size_changed_ |= frame.bytes != constant_size_;
    constant_frames_ = has_size_changed_ ? 0 : constant_frames_ + 1;
    current_.bytes += frame.bytes;
    current_.time += frame.duration;
    if (current_.time < window)
        return;
    windows_[count_++ % windows_.size()] = current_;
    current_ = {};
}

/// 0 before the first frame of audio.
double EncoderEstimate::bitrate() const
{
    if (count_ == 0)
        return current_.time > 0ns ? current_.bitrate() : 0;
    double highest = 0;
    for (std::size_t i = 0; i < std::min(count_, windows_.size()); ++i)
        highest = std::max(highest, windows_[i].bitrate());
    return highest;
}

wire::EncoderConfig EncoderEstimate::config() const
{
    wire::EncoderConfig config;
    config.stream.sample_rate = sample_rate_;
    config.stream.channels = channels_;
    // A mono stream is taken to be a microphone.
    const auto direction = channels_ == 1 ? wire::Direction::microphone : wire::Direction::output;
    const auto measured = bitrate();
    const auto preset = measured > 0 ? nearest_preset(direction, measured)
                                     : quality_preset(direction, Quality::medium);
    config.bitrate =
        measured > 0
            ? static_cast<std::uint32_t>(std::clamp(measured, minimum_bitrate, maximum_bitrate))
            : preset.bitrate;
    config.stream.frame_size =
        static_cast<std::uint32_t>((frame_ > 0ns ? frame_ : preset.frame) * sample_rate_ / 1s);
    config.complexity = preset.complexity;
    config.vbr = !has_constant_bitrate();
    config.signal = static_cast<std::int32_t>(preset.signal);
    config.bandwidth = static_cast<std::uint32_t>(preset.bandwidth);
    config.dtx = preset.dtx || uses_dtx_;
    return config;
}

} // namespace jkvm
