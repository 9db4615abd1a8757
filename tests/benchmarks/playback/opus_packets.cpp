// SPDX-License-Identifier: LGPL-2.1-or-later
#include "benchmarks/playback/opus_packets.h"

#include <opus.h>

#include <array>
#include <cmath>
#include <memory>
#include <random>
#include <stdexcept>

namespace jkvm::benchmark {

std::vector<std::vector<unsigned char>> make_opus_packets()
{
    constexpr int rate = 48000;
    constexpr std::size_t frame = 960;
    constexpr std::size_t count = 50;
    constexpr std::size_t max_packet = 1500; // bytes
    int error = OPUS_OK;
    const std::unique_ptr<OpusEncoder, decltype(&opus_encoder_destroy)> encoder(
        opus_encoder_create(rate, 2, OPUS_APPLICATION_AUDIO, &error), opus_encoder_destroy);
    if (error != OPUS_OK)
        throw std::runtime_error(opus_strerror(error));
    opus_encoder_ctl(encoder.get(), OPUS_SET_BITRATE(128000));
    std::mt19937 random(1); // NOLINT(cert-msc51-cpp): the same packets in each run
    std::uniform_real_distribution<float> noise(-0.1F, 0.1F);
    std::vector<std::vector<unsigned char>> packets;
    packets.reserve(count);
    std::array<float, 2 * frame> samples{};
    for (std::size_t i = 0; i < count; ++i) {
        for (std::size_t j = 0; j < frame; ++j) {
            const auto time = static_cast<float>(i * frame + j) / rate;
            samples[2 * j] = 0.3F * std::sin(2764.0F * time) + noise(random);
            samples[2 * j + 1] = 0.3F * std::sin(4147.0F * time) + noise(random);
        }
        std::vector<unsigned char> packet(max_packet);
        const auto size = opus_encode_float(encoder.get(), samples.data(), frame, packet.data(),
                                            static_cast<opus_int32>(packet.size()));
        packet.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
        packets.push_back(std::move(packet));
    }
    return packets;
}

} // namespace jkvm::benchmark
