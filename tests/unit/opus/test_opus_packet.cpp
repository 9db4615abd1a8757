// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/opus/opus_packet.h"

#include <gtest/gtest.h>

#include <vector>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

std::optional<OpusPacketFacts> facts_of(const std::vector<unsigned> &values)
{
    std::vector<std::byte> packet;
    packet.reserve(values.size());
    for (const auto value : values)
        packet.push_back(static_cast<std::byte>(value));
    return opus_packet_facts(packet);
}

// RFC 6716, table 2: configuration number, mode, frame size.
TEST(OpusPacket, ParsesModeAndFrameSizeOfEveryConfiguration)
{
    for (unsigned config = 0; config < 32; ++config) {
        const auto facts = facts_of({config << 3});
        ASSERT_TRUE(facts);
        std::vector<nanoseconds> sizes;
        if (config < 12) {
            EXPECT_EQ(facts->mode, OpusMode::silk) << config;
            sizes = {10ms, 20ms, 40ms, 60ms};
        } else if (config < 16) {
            EXPECT_EQ(facts->mode, OpusMode::hybrid) << config;
            sizes = {10ms, 20ms};
        } else {
            EXPECT_EQ(facts->mode, OpusMode::celt) << config;
            sizes = {2500us, 5ms, 10ms, 20ms};
        }
        EXPECT_EQ(facts->frame_duration, sizes[config % sizes.size()]) << config;
        EXPECT_EQ(facts->frames, 1);
        EXPECT_FALSE(facts->stereo);
    }
}

// RFC 6716, table 2, the column of bandwidths.
TEST(OpusPacket, ParsesBandwidthOfEveryConfiguration)
{
    using enum Bandwidth;
    const std::vector<std::pair<unsigned, Bandwidth>> first_of{
        {0, narrowband}, {4, mediumband},           {8, wideband},  {12, superwideband},
        {14, fullband},  {16, narrowband},          {20, wideband}, {24, superwideband},
        {28, fullband},  {32, Bandwidth::automatic}};
    for (std::size_t i = 0; i + 1 < first_of.size(); ++i)
        for (auto config = first_of[i].first; config < first_of[i + 1].first; ++config)
            EXPECT_EQ(facts_of({config << 3})->bandwidth, first_of[i].second) << config;
}

TEST(OpusPacket, ParsesStereoBit)
{
    EXPECT_TRUE(facts_of({0xFC})->stereo); // fullband CELT, 20 ms, stereo
    EXPECT_FALSE(facts_of({0xF8})->stereo);
}

TEST(OpusPacket, AddsUpTheFramesOfAPacket)
{
    EXPECT_EQ(facts_of({0xF9})->duration(), 40ms);        // two of equal size
    EXPECT_EQ(facts_of({0xFA})->duration(), 40ms);        // two of different size
    EXPECT_EQ(facts_of({0xFB, 0x06})->duration(), 120ms); // six
    EXPECT_EQ(facts_of({0xE3, 0xF0})->duration(), 120ms); // 48 of 2.5 ms; the upper bits are flags
}

TEST(OpusPacket, RejectsInvalidPackets)
{
    EXPECT_FALSE(facts_of({}));
    EXPECT_FALSE(facts_of({0xFB}));       // truncated frame count
    EXPECT_FALSE(facts_of({0xFB, 0x00})); // no frame
    EXPECT_FALSE(facts_of({0xFB, 0x07})); // 140 ms
    EXPECT_FALSE(facts_of({0xE3, 0x31})); // 49 of 2.5 ms
}

} // namespace
} // namespace jkvm
