// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/opus/packet_facts.h"

#include <gtest/gtest.h>

#include <array>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

TEST(PacketFacts, AreReadFromTheFirstBytesOfAnOpusPacket)
{
    const std::array celt_stereo{std::byte{0xFC}, std::byte{1}, std::byte{2}};
    const auto music = packet_facts(Codec::opus, celt_stereo);
    ASSERT_TRUE(music);
    EXPECT_EQ(music->duration, 20ms);
    EXPECT_EQ(music->channels, 2);
    EXPECT_FALSE(music->is_silence);
    EXPECT_TRUE(music->is_quiet) << "digital silence takes three bytes";
    EXPECT_EQ(music->conceal_step, 2500us);
    EXPECT_EQ(music->maximum_conceal_step, 20ms);

    const std::array silk_mono_60ms{std::byte{0x18}, std::byte{1}, std::byte{2}};
    const auto speech = packet_facts(Codec::opus, silk_mono_60ms);
    ASSERT_TRUE(speech);
    EXPECT_EQ(speech->duration, 60ms);
    EXPECT_EQ(speech->channels, 1);
    EXPECT_FALSE(speech->is_silence);
    EXPECT_EQ(speech->conceal_step, 10ms);
    EXPECT_EQ(speech->maximum_conceal_step, 20ms) << "a decoder conceals at most 20 ms at a time";

    const std::array celt_10ms{std::byte{0xF4}, std::byte{1}, std::byte{2}};
    EXPECT_EQ(packet_facts(Codec::opus, celt_10ms)->maximum_conceal_step, 10ms);
}

TEST(PacketFacts, OpusFrameOmittedByDtxIsSilence)
{
    const std::array toc_alone{std::byte{0x78}};
    const auto facts = packet_facts(Codec::opus, toc_alone);
    ASSERT_TRUE(facts);
    EXPECT_TRUE(facts->is_silence);
    EXPECT_TRUE(facts->is_quiet);
    EXPECT_EQ(facts->duration, 20ms);
}

TEST(PacketFacts, LargerPacketIsNotQuiet)
{
    const std::array packet{std::byte{0xFC}, std::byte{1}, std::byte{2}, std::byte{3}};
    EXPECT_FALSE(packet_facts(Codec::opus, packet)->is_quiet);
}

TEST(PacketFacts, InvalidOpusPacketHasNone)
{
    EXPECT_FALSE(packet_facts(Codec::opus, {}));
    const std::array code_3_without_count{std::byte{0xFF}};
    EXPECT_FALSE(packet_facts(Codec::opus, code_3_without_count));
}

} // namespace
} // namespace jkvm
