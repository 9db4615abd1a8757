// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/opus/quiet_detector.h"

#include <gtest/gtest.h>

#include <vector>

namespace jkvm {
namespace {

constexpr std::byte celt_20ms{0xFC}; // one frame a packet
constexpr std::byte silk_20ms{0x48};
constexpr std::byte silk_40ms{0x50};
constexpr std::byte hybrid_20ms{0x78};

class QuietDetectorTest : public testing::Test {
protected:
    bool is_quiet(std::byte toc, std::size_t size, std::byte second = std::byte{0xFF})
    {
        std::vector<std::byte> packet(size, second);
        packet[0] = toc;
        return detector_.is_quiet(packet);
    }

    QuietDetector detector_;
};

TEST_F(QuietDetectorTest, PacketOfAFewBytesIsSilence)
{
    EXPECT_TRUE(is_quiet(celt_20ms, 1));
    EXPECT_TRUE(is_quiet(celt_20ms, 3));
    EXPECT_TRUE(is_quiet(silk_20ms, 1));
    EXPECT_FALSE(is_quiet(celt_20ms, 4));
}

TEST_F(QuietDetectorTest, SilkSaysItselfWhetherThereIsAVoice)
{
    EXPECT_TRUE(is_quiet(silk_20ms, 40, std::byte{0x7F}));
    EXPECT_FALSE(is_quiet(silk_20ms, 40, std::byte{0x80}));
    EXPECT_TRUE(is_quiet(hybrid_20ms, 40, std::byte{0x7F}));
    EXPECT_FALSE(is_quiet(hybrid_20ms, 40, std::byte{0x80}));
}

TEST_F(QuietDetectorTest, LongSilkFrameIsQuietOnlyIfAllOfItIs)
{
    EXPECT_TRUE(is_quiet(silk_40ms, 40, std::byte{0x3F}));
    EXPECT_FALSE(is_quiet(silk_40ms, 40, std::byte{0x40}));
    EXPECT_FALSE(is_quiet(silk_40ms, 40, std::byte{0x80}));
}

TEST_F(QuietDetectorTest, SilkPacketOfSeveralFramesIsNotJudged)
{
    EXPECT_FALSE(is_quiet(silk_20ms | std::byte{1}, 40, std::byte{0}));
}

TEST_F(QuietDetectorTest, SmallestFifthAtAVariableRateIsQuiet)
{
    for (std::size_t i = 0; i < 300; ++i)
        is_quiet(celt_20ms, 100 + i * 37 % 100);
    EXPECT_TRUE(is_quiet(celt_20ms, 105));
    EXPECT_FALSE(is_quiet(celt_20ms, 125));
    EXPECT_FALSE(is_quiet(celt_20ms, 190));
}

TEST_F(QuietDetectorTest, SizesAtAConstantRateSayNothing)
{
    for (int i = 0; i < 300; ++i)
        EXPECT_FALSE(is_quiet(celt_20ms, 160));
}

TEST_F(QuietDetectorTest, FirstPacketsAreNotJudgedByTheirSize)
{
    for (std::size_t i = 0; i < QuietDetector::least_window; ++i)
        EXPECT_FALSE(is_quiet(celt_20ms, 200 - i));
    EXPECT_TRUE(is_quiet(celt_20ms, 10));
}

TEST_F(QuietDetectorTest, SizesOfAnotherModeAreNotCompared)
{
    for (std::size_t i = 0; i < 300; ++i)
        is_quiet(celt_20ms, 100 + i % 100);
    EXPECT_FALSE(is_quiet(std::byte{0xF8}, 30)); // mono
}

TEST_F(QuietDetectorTest, WhatIsNoPacketIsNotQuiet)
{
    EXPECT_FALSE(detector_.is_quiet({}));
}

} // namespace
} // namespace jkvm
