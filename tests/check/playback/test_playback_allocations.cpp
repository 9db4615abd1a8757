// SPDX-License-Identifier: LGPL-2.1-or-later
// The playback engine and its queue do not allocate for a packet. In simulated time, because the
// test device would log an underrun, for which it allocates.
#include "capture/allocations.h"
#include "playback/simulated_playback.h"
#include "support/alsa_device.h"

#include <gtest/gtest.h>
#include <opus.h>

#include <memory>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

class PlaybackAllocations : public ::testing::TestWithParam<bool>, public PlaybackEngine::Host {
protected:
    void on_device_changed(const DeviceReport &) override {}
    void on_latency_changed(nanoseconds) override {}
    void on_device_position(nanoseconds, MonotonicTime) override {}
    void on_played(const PlaybackEngine::PlayedPacket &) override {}
};

std::vector<std::vector<std::byte>> encode(int count)
{
    const std::unique_ptr<OpusEncoder, decltype(&opus_encoder_destroy)> encoder(
        opus_encoder_create(48000, 2, OPUS_APPLICATION_AUDIO, nullptr), &opus_encoder_destroy);
    std::vector<std::vector<std::byte>> packets;
    std::vector<float> samples(1920);
    for (int i = 0; i < count; ++i) {
        for (std::size_t s = 0; s < samples.size(); ++s)
            samples[s] =
                static_cast<float>((s * 7919 + static_cast<std::size_t>(i) * 131) % 997) / 4000.0F;
        std::vector<std::byte> packet(1500);
        const auto size = opus_encode_float(encoder.get(), samples.data(), 960,
                                            reinterpret_cast<unsigned char *>(packet.data()), 1500);
        packet.resize(static_cast<std::size_t>(size));
        packets.push_back(std::move(packet));
    }
    return packets;
}

TEST_P(PlaybackAllocations, NoneForAPacket)
{
    constexpr int settling = 50;
    constexpr int watched = 100;
    const testing::FakeMonotonicClock clock{MonotonicTime(1h)};
    testing::TestPcm pcm;
    testing::SimulatedPlayback playback({.devices = {pcm.device()}}, *this);
    const bool is_opus = GetParam();
    const auto packets = encode(settling + watched);
    const std::vector<std::byte> samples(3840); // 20 ms
    const PlaybackFormat format{
        is_opus ? PlaybackFormat::Coding::opus : PlaybackFormat::Coding::s16, 2};
    const auto begin = monotonic_now() + 300ms;
    for (int i = 0; i < settling + watched; ++i) {
        if (i == settling)
            testing::watch_allocations();
        const auto due = begin + i * nanoseconds(20ms);
        playback.run_until(due - 80ms);
        // Every tenth packet is lost.
        if (i % 10 != 9)
            playback.push({.format = format, .due = due, .timestamp = due.time_since_epoch()},
                          is_opus
                              ? std::span<const std::byte>(packets.at(static_cast<std::size_t>(i)))
                              : samples);
    }
    for (const auto &where : testing::stop_watching_allocations())
        ADD_FAILURE() << where;
    EXPECT_GE(playback.snapshot().counters.packets, 100u);
}

INSTANTIATE_TEST_SUITE_P(Of, PlaybackAllocations, ::testing::Bool(),
                         [](const auto &info) { return info.param ? "Opus" : "Samples"; });

} // namespace
} // namespace jkvm
