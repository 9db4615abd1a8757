// SPDX-License-Identifier: LGPL-2.1-or-later
#include "playback/bursts.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace jkvm::testing {

Bursts::Bursts(bool has_fec, bool is_continuous)
    : is_continuous_(is_continuous),
      encoder_(opus_encoder_create(48000, 1, OPUS_APPLICATION_VOIP, nullptr), &opus_encoder_destroy)
{
    opus_encoder_ctl(encoder_.get(), OPUS_SET_BITRATE(32000));
    opus_encoder_ctl(encoder_.get(), OPUS_SET_BANDWIDTH(OPUS_BANDWIDTH_WIDEBAND));
    opus_encoder_ctl(encoder_.get(), OPUS_SET_INBAND_FEC(has_fec ? 1 : 0));
    opus_encoder_ctl(encoder_.get(), OPUS_SET_PACKET_LOSS_PERC(has_fec ? 30 : 0));
}

std::vector<unsigned char> Bursts::next(int frames)
{
    std::vector<float> samples(static_cast<std::size_t>(frames));
    const bool sounds = is_continuous_ || begins_at(index_) || begins_at(index_ - 1);
    for (std::size_t i = 0; i < samples.size(); ++i) {
        const auto position = static_cast<std::size_t>(index_) * samples.size() + i;
        const double phase = 2 * std::numbers::pi * 440 / 48000 * static_cast<double>(position);
        samples[i] = static_cast<float>((sounds ? 0.5 : 0.002) * std::sin(phase));
    }
    ++index_;
    std::vector<unsigned char> packet(1500);
    packet.resize(static_cast<std::size_t>(
        opus_encode_float(encoder_.get(), samples.data(), frames, packet.data(), 1500)));
    return packet;
}

double lowest_level(const PlayedAudio &played, nanoseconds begin, nanoseconds end)
{
    const auto samples = played.channel();
    double lowest = 1e9;
    for (std::size_t i = 0; i + 240 < samples.size(); i += 48) {
        const auto at = played.time_of(static_cast<double>(i));
        if (at < begin || at >= end)
            continue;
        double sum = 0;
        for (std::size_t k = i; k < i + 240; ++k)
            sum += samples[k] * samples[k];
        lowest = std::min(lowest, std::sqrt(sum / 240));
    }
    return lowest;
}

} // namespace jkvm::testing
