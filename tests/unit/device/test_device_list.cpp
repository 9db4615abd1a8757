// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/device/device_list.h"

#include <gtest/gtest.h>

namespace jkvm {
namespace {

using Devices = std::vector<std::string>;

TEST(DeviceList, IsSplitAtSemicolons)
{
    EXPECT_EQ(split_device_list("hw:0,0"), Devices{"hw:0,0"});
    EXPECT_EQ(split_device_list("hw:CARD=a; USB Audio ;plug:SLAVE='x,y'"),
              (Devices{"hw:CARD=a", "USB Audio", "plug:SLAVE='x,y'"}));
    EXPECT_EQ(split_device_list(";a;; ;b;"), (Devices{"a", "b"}));
    EXPECT_EQ(split_device_list(""), Devices{});
}

TEST(DeviceList, CardIsFoundByItsIdAndByItsName)
{
    const std::vector<SoundCard> cards{{"PCH", "HDA Intel PCH"}, {"tc358743", "HDMI receiver"}};
    EXPECT_EQ(pcm_name("tc358743", cards), "hw:CARD=tc358743");
    EXPECT_EQ(pcm_name("HDMI receiver", cards), "hw:CARD=tc358743");
    EXPECT_EQ(pcm_name("hw:1,0", cards), "hw:1,0");
    EXPECT_EQ(pcm_name("default", cards), "default");
}

TEST(DeviceList, CardsOfAlsaNamesAreCompared)
{
    const std::vector<SoundCard> cards{{"PCH", "HDA Intel PCH", 0}, {"tc", "HDMI receiver", 2}};
    EXPECT_TRUE(are_on_one_card("hw:0,0", "plughw:CARD=PCH,DEV=1", cards));
    EXPECT_TRUE(are_on_one_card("hw:tc", "hw:2", cards));
    EXPECT_TRUE(are_on_one_card("hw:7,0", "plughw:7,1", cards)) << "an unknown card";
    EXPECT_FALSE(are_on_one_card("hw:0,0", "hw:2,0", cards));
    EXPECT_FALSE(are_on_one_card("default", "default", cards)) << "their cards are unknown";
}

} // namespace
} // namespace jkvm
