// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/wire/control.h"

#include <gtest/gtest.h>

#include <vector>

namespace jkvm::wire {
namespace {

std::vector<unsigned> numbers(std::span<const std::byte> bytes)
{
    std::vector<unsigned> result;
    for (const auto byte : bytes)
        result.push_back(std::to_integer<unsigned>(byte));
    return result;
}

TEST(StreamConfig, HasTheBytesOfTheProtocol)
{
    EXPECT_EQ(numbers(StreamConfig{48000, 2, 960}.encode()),
              (std::vector<unsigned>{0x80, 0xBB, 0, 0, 2, 0, 0, 0, 0xC0, 0x03, 0, 0}));
}

TEST(StreamConfig, SurvivesARoundTrip)
{
    for (const auto &config : {StreamConfig{48000, 2, 960}, StreamConfig{8000, 1, 20},
                               StreamConfig{16000, 1, 1920}, StreamConfig{24000, 2, 2880}}) {
        EXPECT_EQ(StreamConfig::decode(config.encode()), config);
    }
}

TEST(StreamConfig, RefusesValuesThatOpusDoesNotHave)
{
    for (const auto &config :
         {StreamConfig{44100, 2, 960}, StreamConfig{48000, 0, 960}, StreamConfig{48000, 3, 960},
          StreamConfig{48000, 2, 119}, StreamConfig{48000, 2, 5761}, StreamConfig{0, 0, 0},
          StreamConfig{0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF}}) {
        EXPECT_FALSE(StreamConfig::decode(config.encode()))
            << config.sample_rate << " " << config.channels << " " << config.frame_size;
    }
    EXPECT_FALSE(StreamConfig::decode({}));
    EXPECT_FALSE(StreamConfig::decode(EncoderConfig{}.encode()));
}

TEST(EncoderConfig, HasTheBytesOfTheProtocol)
{
    const EncoderConfig config{.stream = {48000, 1, 480},
                               .bitrate = 64000,
                               .complexity = 5,
                               .vbr = true,
                               .signal = EncoderConfig::signal_auto,
                               .bandwidth = 1103,
                               .dtx = true};
    EXPECT_EQ(numbers(config.encode()),
              (std::vector<unsigned>{0x80, 0xBB, 0,    0,    1,    0, 0, 0, 0xE0, 0x01, 0, 0,
                                     0x00, 0xFA, 0,    0,    5,    0, 0, 0, 1,    0,    0, 0,
                                     0x18, 0xFC, 0xFF, 0xFF, 0x4F, 4, 0, 0, 1,    0,    0, 0}));
    EXPECT_EQ(EncoderConfig::decode(config.encode()), config);
}

TEST(EncoderConfig, RefusesEachValueOutOfRange)
{
    const auto refused = [](auto change) {
        EncoderConfig config;
        change(config);
        return !EncoderConfig::decode(config.encode());
    };
    EXPECT_FALSE(refused([](EncoderConfig &) {}));
    EXPECT_TRUE(refused([](EncoderConfig &c) { c.stream.channels = 9; }));
    EXPECT_TRUE(refused([](EncoderConfig &c) { c.bitrate = 0; }));
    EXPECT_TRUE(refused([](EncoderConfig &c) { c.bitrate = 512001; }));
    EXPECT_TRUE(refused([](EncoderConfig &c) { c.complexity = 11; }));
    EXPECT_TRUE(refused([](EncoderConfig &c) { c.signal = 7; }));
    EXPECT_TRUE(refused([](EncoderConfig &c) { c.bandwidth = 1106; }));
    auto payload = EncoderConfig{}.encode();
    payload[20] = std::byte{2}; // vbr is 0 or 1
    EXPECT_FALSE(EncoderConfig::decode(payload));
}

} // namespace
} // namespace jkvm::wire
