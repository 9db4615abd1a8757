// SPDX-License-Identifier: LGPL-2.1-or-later
#include "alsa/alsa_device_source.h"
#include "alsa/sound_cards.h"
#include "devices/fake_cards.h"
#include "support/alsa_device.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <utility>

namespace jkvm {
namespace {

using Direction = AudioDevice::Direction;

class AlsaDeviceSourceTest : public ::testing::Test {
protected:
    ~AlsaDeviceSourceTest() override { testing::set_fake_cards({}); }

    AlsaDeviceSource source_;
};

TEST_F(AlsaDeviceSourceTest, ListsTheDirectionsThatACardHas)
{
    testing::set_fake_cards({{0, {"PCH", "HDA Intel PCH", "", "jkvmtest"}},
                             {2, {"UAC2Gadget", "UAC2 Gadget", "jkvmtest", "jkvmtest"}}});
    const auto devices = source_.list();
    ASSERT_EQ(devices.size(), 3U);
    EXPECT_EQ(devices[0].property, "HDA Intel PCH");
    EXPECT_EQ(devices[0].direction, Direction::playback);
    EXPECT_EQ(devices[0].name, "HDA Intel PCH PCM");
    EXPECT_EQ(devices[1].property, "UAC2 Gadget");
    EXPECT_EQ(devices[1].direction, Direction::capture);
    EXPECT_EQ(devices[1].card, (SoundCard{"UAC2Gadget", "UAC2 Gadget", 2}));
    EXPECT_EQ(devices[1].pcm(), "hw:CARD=UAC2Gadget,DEV=0");
    EXPECT_EQ(devices[2].direction, Direction::playback);
}

TEST_F(AlsaDeviceSourceTest, IdDoesNotDependOnTheNumberOfTheCard)
{
    const testing::TemporaryDirectory sysfs;
    const auto port = sysfs.path() / "devices/platform/soc/usb1/1-2/1-2:1.0";
    std::filesystem::create_directories(port);
    std::vector<std::string> ids;
    for (const int number : {1, 3}) {
        const auto card = sysfs.path() / "class/sound" / ("card" + std::to_string(number));
        std::filesystem::create_directories(card);
        std::filesystem::create_directory_symlink(port, card / "device");
        testing::set_fake_cards({{number, {"MS2109", "USB capture", "jkvmtest", ""}}});
        const auto devices = list_audio_devices(sysfs.path().string());
        ASSERT_EQ(devices.size(), 1U);
        ids.push_back(devices[0].id);
    }
    EXPECT_EQ(ids[0], "platform/soc/usb/2/2:1.0/pcm0c");
    EXPECT_EQ(ids[1], ids[0]);
}

/// Connects simulated cards to directories of a simulated sysfs.
void connect_cards(const testing::TemporaryDirectory &sysfs, const std::string &first,
                   const std::string &second)
{
    for (const auto &[number, port] : {std::pair(0, first), std::pair(1, second)}) {
        const auto hardware = sysfs.path() / "devices" / port;
        const auto card = sysfs.path() / "class/sound" / ("card" + std::to_string(number));
        std::filesystem::create_directories(hardware);
        std::filesystem::create_directories(card);
        std::filesystem::create_directory_symlink(hardware, card / "device");
    }
    testing::set_fake_cards({{0, {"MS2109", "USB capture", "jkvmtest", ""}},
                             {1, {"MS2109_1", "USB capture", "jkvmtest", ""}}});
}

TEST_F(AlsaDeviceSourceTest, IdNamesTheRootHubOfAControllerByItsSpeed)
{
    const testing::TemporaryDirectory sysfs;
    connect_cards(sysfs, "xhci/usb1/1-2/1-2:1.2", "xhci/usb2/2-2/2-2:1.2");
    std::ofstream(sysfs.path() / "devices/xhci/usb1/speed") << "480\n";
    std::ofstream(sysfs.path() / "devices/xhci/usb2/speed") << "5000\n";
    const auto devices = list_audio_devices(sysfs.path().string());
    ASSERT_EQ(devices.size(), 2U);
    EXPECT_EQ(devices[0].id, "xhci/usb480/2/2:1.2/pcm0c");
    EXPECT_EQ(devices[1].id, "xhci/usb5000/2/2:1.2/pcm0c");
}

TEST_F(AlsaDeviceSourceTest, IdsOfCardsAtOnePortDiffer)
{
    const testing::TemporaryDirectory sysfs;
    connect_cards(sysfs, "platform/sound", "platform/sound");
    const auto devices = list_audio_devices(sysfs.path().string());
    ASSERT_EQ(devices.size(), 2U);
    EXPECT_EQ(devices[0].id, "platform/sound/pcm0c/MS2109");
    EXPECT_EQ(devices[1].id, "platform/sound/pcm0c/MS2109_1");
}

TEST_F(AlsaDeviceSourceTest, IdFallsBackToThatOfTheCard)
{
    const testing::TemporaryDirectory sysfs;
    testing::set_fake_cards({{0, {"MS2109", "USB capture", "jkvmtest", ""}}});
    EXPECT_EQ(list_audio_devices(sysfs.path().string()).at(0).id, "MS2109/pcm0c");
}

TEST_F(AlsaDeviceSourceTest, QueriesFormats)
{
    const testing::TestPcm pcm({.rate = 44100, .channels = 2, .format = "S16_LE"});
    testing::set_fake_cards({{0, {"MS2109", "USB capture", pcm.device(), pcm.device()}}});
    for (const auto &device : source_.list()) {
        const auto formats = source_.query_formats(device);
        ASSERT_TRUE(formats) << name_of(device.direction);
        EXPECT_EQ(*formats, (DeviceFormats{{"S16_LE"}, {44100}, 2, 2}));
    }
}

TEST_F(AlsaDeviceSourceTest, FormatsOfABusyDeviceAreUnknown)
{
    testing::TestPcm pcm;
    pcm.set_open_errno("EBUSY");
    testing::set_fake_cards({{0, {"MS2109", "USB capture", pcm.device(), ""}}});
    EXPECT_FALSE(source_.query_formats(source_.list().at(0)));
    pcm.clear_open_errno();
    EXPECT_TRUE(source_.query_formats(source_.list().at(0)));
}

} // namespace
} // namespace jkvm
