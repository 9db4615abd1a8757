// SPDX-License-Identifier: LGPL-2.1-or-later
#include "audio_device_provider.h"
#include "devices/fake_cards.h"
#include "support/alsa_device.h"
#include "support/fake_device_source.h"
#include "support/gst_test.h"

#include <gtest/gtest.h>

#include <optional>
#include <utility>
#include <vector>

namespace jkvm {
namespace {

using testing::FakeDeviceSource;

std::string text_of(const gchar *text)
{
    return text != nullptr ? text : "";
}

/// Returns a property of a device, as text.
std::string property_of(GstDevice *device, const char *name)
{
    const testing::StructurePtr properties(gst_device_get_properties(device));
    const auto *value = gst_structure_get_value(properties.get(), name);
    gchar *text = value != nullptr ? gst_value_serialize(value) : nullptr;
    auto result = text_of(text);
    g_free(text);
    return result;
}

/// Returns the property alsa.formats; null if it is absent.
GstRef<GstCaps> formats_of(GstDevice *device)
{
    const testing::StructurePtr properties(gst_device_get_properties(device));
    GstCaps *formats = nullptr;
    gst_structure_get(properties.get(), "alsa.formats", GST_TYPE_CAPS, &formats, nullptr);
    return GstRef<GstCaps>::adopt(formats);
}

std::string device_of(GstElement *element)
{
    gchar *device = nullptr;
    g_object_get(element, "device", &device, nullptr);
    auto result = text_of(device);
    g_free(device);
    return result;
}

// --- the provider with simulated devices ---

/// Passes start() and stop() of a GstDeviceProvider to an AudioDeviceProvider.
struct TestDeviceProvider {
    GstDeviceProvider parent;
    AudioDeviceProvider *devices;
};
using TestDeviceProviderClass = GstDeviceProviderClass;

G_DEFINE_TYPE(TestDeviceProvider, test_device_provider, GST_TYPE_DEVICE_PROVIDER)

void test_device_provider_init(TestDeviceProvider *) {}

void test_device_provider_class_init(TestDeviceProviderClass *klass)
{
    klass->start = [](GstDeviceProvider *self) noexcept -> gboolean {
        return reinterpret_cast<TestDeviceProvider *>(self)->devices->start();
    };
    klass->stop = [](GstDeviceProvider *self) noexcept {
        reinterpret_cast<TestDeviceProvider *>(self)->devices->stop();
    };
}

AudioDevice receiver()
{
    return {.id = "platform/hdmi/pcm0c",
            .card = {"tc358743", "HDMI receiver", 1},
            .name = "tc358743 PCM",
            .direction = AudioDevice::Direction::capture,
            .property = "HDMI receiver"};
}

AudioDevice gadget()
{
    return {.id = "platform/gadget/pcm0p",
            .card = {"UAC2Gadget", "UAC2 Gadget", 2},
            .name = "UAC2 PCM",
            .direction = AudioDevice::Direction::playback,
            .property = "UAC2 Gadget"};
}

class DeviceProviderTest : public ::testing::Test {
protected:
    DeviceProviderTest()
    {
        auto source = std::make_unique<FakeDeviceSource>();
        source_ = source.get();
        devices_.emplace(provider_.get(), std::move(source));
        reinterpret_cast<TestDeviceProvider *>(provider_.get())->devices = &*devices_;
    }
    ~DeviceProviderTest() override { gst_device_provider_stop(provider_.get()); }

    void start() { ASSERT_TRUE(gst_device_provider_start(provider_.get())); }
    /// Waits for the next message of the provider and returns its device.
    GstRef<GstDevice> wait_for(GstMessageType type)
    {
        const auto message =
            GstRef<GstMessage>::adopt(gst_bus_timed_pop(bus_.get(), 60 * GST_SECOND));
        GstDevice *device = nullptr;
        if (!message || GST_MESSAGE_TYPE(message.get()) != type)
            ADD_FAILURE() << "no message " << gst_message_type_get_name(type);
        else if (type == GST_MESSAGE_DEVICE_ADDED)
            gst_message_parse_device_added(message.get(), &device);
        else if (type == GST_MESSAGE_DEVICE_REMOVED)
            gst_message_parse_device_removed(message.get(), &device);
        else
            gst_message_parse_device_changed(message.get(), &device, nullptr);
        return GstRef<GstDevice>::adopt(device);
    }

    GstRef<GstDeviceProvider> provider_ = GstRef<GstDeviceProvider>::adopt(GST_DEVICE_PROVIDER(
        gst_object_ref_sink(g_object_new(test_device_provider_get_type(), nullptr))));
    GstRef<GstBus> bus_ = GstRef<GstBus>::adopt(gst_device_provider_get_bus(provider_.get()));
    FakeDeviceSource *source_;
    std::optional<AudioDeviceProvider> devices_;
};

TEST_F(DeviceProviderTest, DescribesACaptureDevice)
{
    source_->plug_in(receiver());
    start();
    const auto device = wait_for(GST_MESSAGE_DEVICE_ADDED);
    ASSERT_TRUE(device);
    EXPECT_TRUE(gst_device_has_classes(device.get(), "Audio/Source"));
    EXPECT_EQ(property_of(device.get(), "device.id"), "platform/hdmi/pcm0c");
    EXPECT_EQ(property_of(device.get(), "device.direction"), "capture");
    EXPECT_EQ(property_of(device.get(), "alsa.card_name"), "\"HDMI\\ receiver\"");
    const auto expected = GstRef<GstCaps>::adopt(gst_caps_from_string(
        "audio/x-raw, layout=interleaved, format={ S16LE, S24LE }, rate={ 44100, 48000 }, "
        "channels=[ 1, 2 ]"));
    const auto formats = formats_of(device.get());
    ASSERT_TRUE(formats);
    EXPECT_TRUE(gst_caps_is_equal(formats.get(), expected.get()));
    const auto caps = GstRef<GstCaps>::adopt(gst_device_get_caps(device.get()));
    const auto opus = GstRef<GstCaps>::adopt(gst_caps_from_string("audio/x-opus"));
    EXPECT_TRUE(gst_caps_can_intersect(caps.get(), opus.get()));
}

TEST_F(DeviceProviderTest, CreatesTheElementThatUsesTheDevice)
{
    source_->plug_in(receiver());
    source_->plug_in(gadget());
    start();
    for (const auto &[factory, device_name] :
         {std::pair("jkvmaudiosrc", "HDMI receiver"), std::pair("jkvmaudiosink", "UAC2 Gadget")}) {
        const auto device = wait_for(GST_MESSAGE_DEVICE_ADDED);
        ASSERT_TRUE(device);
        const auto element = GstRef<GstElement>::adopt(
            GST_ELEMENT(gst_object_ref_sink(gst_device_create_element(device.get(), "created"))));
        EXPECT_STREQ(GST_OBJECT_NAME(gst_element_get_factory(element.get())), factory);
        EXPECT_EQ(device_of(element.get()), device_name);
    }
}

TEST_F(DeviceProviderTest, ReconfiguresOnlyAnElementOfItsDirection)
{
    source_->plug_in(gadget());
    start();
    const auto device = wait_for(GST_MESSAGE_DEVICE_ADDED);
    for (const auto &[factory, is_accepted] :
         {std::pair("jkvmaudiosrc", false), std::pair("jkvmaudiosink", true)}) {
        const auto element = GstRef<GstElement>::adopt(
            GST_ELEMENT(gst_object_ref_sink(gst_element_factory_make(factory, nullptr))));
        EXPECT_EQ(gst_device_reconfigure_element(device.get(), element.get()) != FALSE,
                  is_accepted);
        EXPECT_EQ(device_of(element.get()) == "UAC2 Gadget", is_accepted);
    }
}

TEST_F(DeviceProviderTest, ReportsDevicesThatArePluggedInAndOut)
{
    start();
    source_->plug_in(receiver());
    const auto added = wait_for(GST_MESSAGE_DEVICE_ADDED);
    source_->unplug(receiver().id);
    const auto removed = wait_for(GST_MESSAGE_DEVICE_REMOVED);
    EXPECT_EQ(added.get(), removed.get());
    source_->plug_in(receiver());
    const auto again = wait_for(GST_MESSAGE_DEVICE_ADDED);
    ASSERT_TRUE(again);
    EXPECT_EQ(property_of(again.get(), "device.id"), property_of(added.get(), "device.id"));
}

TEST_F(DeviceProviderTest, ToleratesTwoDevicesWithOneId)
{
    source_->plug_in(receiver());
    source_->plug_in(receiver());
    start();
    wait_for(GST_MESSAGE_DEVICE_ADDED);
    wait_for(GST_MESSAGE_DEVICE_ADDED);
    source_->unplug(receiver().id);
    wait_for(GST_MESSAGE_DEVICE_REMOVED);
    source_->plug_in(gadget());
    EXPECT_TRUE(wait_for(GST_MESSAGE_DEVICE_ADDED));
}

TEST_F(DeviceProviderTest, ReportsTheFormatsOfADeviceThatWasBusy)
{
    source_->set_busy(true);
    source_->plug_in(receiver());
    start();
    EXPECT_FALSE(formats_of(wait_for(GST_MESSAGE_DEVICE_ADDED).get()));
    source_->set_busy(false);
    source_->plug_in(gadget());
    EXPECT_TRUE(formats_of(wait_for(GST_MESSAGE_DEVICE_CHANGED).get()));
}

// --- the plugin's provider with simulated cards ---

class DeviceMonitoring : public ::testing::TestWithParam<bool> {
protected:
    DeviceMonitoring()
    {
        testing::set_fake_cards({{1, {"tc358743", "HDMI receiver", pcm_.device(), ""}},
                                 {2, {"UAC2Gadget", "UAC2 Gadget", "", pcm_.device()}}});
    }
    ~DeviceMonitoring() override { testing::set_fake_cards({}); }

    testing::TestPcm pcm_;
};

/// Makes GstDeviceMonitor ignore other providers: that of PulseAudio leaks if no server runs.
void disable_other_providers()
{
    auto *features =
        gst_registry_get_feature_list(gst_registry_get(), GST_TYPE_DEVICE_PROVIDER_FACTORY);
    for (const auto *item = features; item != nullptr; item = item->next) {
        auto *feature = GST_PLUGIN_FEATURE(item->data);
        if (!g_str_has_prefix(gst_plugin_feature_get_name(feature), "jkvm"))
            gst_plugin_feature_set_rank(feature, GST_RANK_NONE);
    }
    gst_plugin_feature_list_free(features);
}

/// The devices of a class that the provider of this project reports.
std::vector<GstRef<GstDevice>> monitored_devices(const char *classes, bool is_started)
{
    disable_other_providers();
    const auto monitor = GstRef<GstDeviceMonitor>::adopt(gst_device_monitor_new());
    gst_device_monitor_add_filter(monitor.get(), classes, nullptr);
    if (is_started) {
        EXPECT_TRUE(gst_device_monitor_start(monitor.get()));
    }
    auto *list = gst_device_monitor_get_devices(monitor.get());
    std::vector<GstRef<GstDevice>> devices;
    for (const auto *item = list; item != nullptr; item = item->next)
        if (g_str_has_prefix(G_OBJECT_TYPE_NAME(item->data), "GstJkvmAudio"))
            devices.push_back(GstRef<GstDevice>::share(GST_DEVICE(item->data)));
    g_list_free_full(list, gst_object_unref);
    if (is_started)
        gst_device_monitor_stop(monitor.get());
    return devices;
}

TEST_P(DeviceMonitoring, FindsASourceThatCaptures)
{
    const auto devices = monitored_devices("Audio/Source", GetParam());
    ASSERT_EQ(devices.size(), 1U);
    const auto element = GstRef<GstElement>::adopt(
        GST_ELEMENT(gst_object_ref_sink(gst_device_create_element(devices[0].get(), "created"))));
    EXPECT_EQ(device_of(element.get()), "HDMI receiver");
    testing::Pipeline pipeline("identity name=input ! fakesink num-buffers=3");
    gst_bin_add(GST_BIN(pipeline.get()), element.get());
    ASSERT_TRUE(gst_element_link(element.get(), pipeline.element("input")));
    pipeline.play();
    (void)pipeline.wait_for_element_message("jkvm-device", "running");
}

TEST_P(DeviceMonitoring, FindsASink)
{
    const auto devices = monitored_devices("Audio/Sink", GetParam());
    ASSERT_EQ(devices.size(), 1U);
    EXPECT_EQ(property_of(devices[0].get(), "alsa.card_id"), "UAC2Gadget");
}

INSTANTIATE_TEST_SUITE_P(WithAndWithoutStart, DeviceMonitoring, ::testing::Bool());

} // namespace
} // namespace jkvm
