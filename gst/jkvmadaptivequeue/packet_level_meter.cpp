// SPDX-License-Identifier: LGPL-2.1-or-later
#include "packet_level_meter.h"

#include <opus.h>

#include <cmath>
#include <numeric>

namespace jkvm {

namespace {

constexpr int rate = 48000;
constexpr int channels = 2; // a mono downmix would cancel out-of-phase audio
constexpr int maximum_frames = rate * 120 / 1000;

} // namespace

PacketLevelMeter::PacketLevelMeter() = default;
PacketLevelMeter::PacketLevelMeter(PacketLevelMeter &&) noexcept = default;
PacketLevelMeter &PacketLevelMeter::operator=(PacketLevelMeter &&) noexcept = default;
PacketLevelMeter::~PacketLevelMeter() = default;

void PacketLevelMeter::Destroy::operator()(OpusDecoder *decoder) const
{
    opus_decoder_destroy(decoder);
}

std::optional<double> PacketLevelMeter::measure(std::span<const std::byte> packet)
{
    if (!decoder_) {
        int error = OPUS_OK;
        decoder_.reset(opus_decoder_create(rate, channels, &error));
        if (!decoder_)
            return std::nullopt;
        samples_.resize(std::size_t{maximum_frames} * channels);
    }
    if (decoded_ == 0)
        opus_decoder_ctl(decoder_.get(), OPUS_RESET_STATE);
    const auto frames = opus_decode_float(
        decoder_.get(), reinterpret_cast<const unsigned char *>(packet.data()),
        static_cast<opus_int32>(packet.size()), samples_.data(), maximum_frames, 0);
    if (frames <= 0)
        return std::nullopt;
    if (decoded_ < warm_up) {
        ++decoded_;
        return std::nullopt;
    }
    const auto count = frames * channels;
    const auto energy =
        std::inner_product(samples_.begin(), samples_.begin() + count, samples_.begin(), 0.0);
    return 10 * std::log10(energy / count + 1e-20);
}

} // namespace jkvm
