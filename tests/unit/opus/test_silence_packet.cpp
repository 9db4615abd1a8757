// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/opus/silence_packet.h"

#include "core/opus/opus_packet.h"
#include "core/opus/packet_facts.h"

#include <gtest/gtest.h>

#include <vector>

namespace jkvm {
namespace {

TEST(SilencePacket, HasTheFormatOfEveryPacket)
{
    for (unsigned toc = 0; toc < 256; ++toc) {
        for (unsigned count = 1; count <= 48; ++count) {
            const std::vector<std::byte> model{static_cast<std::byte>(toc),
                                               static_cast<std::byte>(count), std::byte{1}};
            const auto expected = opus_packet_facts(model);
            if (!expected)
                continue; // longer than 120 ms
            const SilencePacket silence(Codec::opus, model);
            const auto facts = opus_packet_facts(silence.bytes());
            ASSERT_TRUE(facts) << toc << ' ' << count;
            EXPECT_EQ(facts->mode, expected->mode);
            EXPECT_EQ(facts->bandwidth, expected->bandwidth);
            EXPECT_EQ(facts->stereo, expected->stereo);
            EXPECT_EQ(facts->frames, expected->frames);
            EXPECT_EQ(facts->frame_duration, expected->frame_duration);
            EXPECT_TRUE(is_silence_packet(silence.bytes(), *facts));
            EXPECT_TRUE(packet_facts(Codec::opus, silence.bytes())->is_quiet);
            EXPECT_FALSE(is_silence_packet(model, *expected));
            EXPECT_GT(silence.bytes().size(), largest_dtx_packet) << "decoders would conceal it";
        }
    }
}

TEST(SilencePacket, IsEmptyForBytesThatAreNotAPacket)
{
    EXPECT_TRUE(SilencePacket(Codec::opus, {}).bytes().empty());
}

} // namespace
} // namespace jkvm
