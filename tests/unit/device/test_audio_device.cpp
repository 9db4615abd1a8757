// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/device/audio_device.h"

#include <gtest/gtest.h>

namespace jkvm {
namespace {

const SoundCard receiver{"tc358743", "HDMI receiver", 0};

TEST(AudioDevice, IsFoundByTheNameOfItsCard)
{
    const std::vector<SoundCard> cards{{"PCH", "HDA Intel PCH", 1}, receiver};
    EXPECT_EQ(device_property(receiver, 0, cards), "HDMI receiver");
    EXPECT_EQ(pcm_name("HDMI receiver", cards), "hw:CARD=tc358743");
}

TEST(AudioDevice, IsFoundByTheIdOfItsCardIfTheNameIsAmbiguous)
{
    const SoundCard first{"Device", "USB Audio", 0};
    const SoundCard second{"Device_1", "USB Audio", 1};
    const std::vector<SoundCard> cards{first, second};
    EXPECT_EQ(device_property(first, 0, cards), "USB Audio");
    EXPECT_EQ(device_property(second, 0, cards), "Device_1");
    const SoundCard list{"AB", "A; B", 2};
    EXPECT_EQ(device_property(list, 0, std::vector{list}), "AB");
}

TEST(AudioDevice, IsFoundByItsPcmNameIfItIsNotTheFirstOfItsCard)
{
    const std::vector<SoundCard> cards{receiver};
    EXPECT_EQ(device_property(receiver, 3, cards), "hw:CARD=tc358743,DEV=3");
    const SoundCard other{"receiver", "tc358743", 1}; // named like the other's id
    EXPECT_EQ(device_property(other, 0, std::vector{receiver, other}), "receiver");
}

TEST(AudioDevice, IdNamesThePort)
{
    const SoundCard card{"UAC2Gadget", "UAC2 Gadget", 2};
    EXPECT_EQ(stable_card_id(card, "/platform/ff580000.i2s/sound", ""),
              "platform/ff580000.i2s/sound");
    EXPECT_EQ(stable_card_id(card, "pci0000:00/0000:00:14.0/usb1/1-2/1-2.1/1-2.1:1.0", "480"),
              "pci0000:00/0000:00:14.0/usb480/2/2.1/2.1:1.0");
    EXPECT_EQ(stable_card_id(card, "pci0000:00/0000:00:14.0/usb3/3-2/3-2.1/3-2.1:1.0", "480"),
              "pci0000:00/0000:00:14.0/usb480/2/2.1/2.1:1.0");
    EXPECT_EQ(stable_card_id(card, "platform/usbdev/1-2", ""), "platform/usbdev/1-2");
    EXPECT_EQ(stable_card_id(card, "", ""), "UAC2Gadget");
}

} // namespace
} // namespace jkvm
