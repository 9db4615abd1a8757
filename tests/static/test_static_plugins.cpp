// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests the plugins linked into a program, as in an application without a plugin folder.
#include "support/alsa_device.h"
#include "support/gst_test.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>

G_BEGIN_DECLS
GST_PLUGIN_STATIC_DECLARE(jkvmadaptivequeue);
GST_PLUGIN_STATIC_DECLARE(jkvmaudio);
GST_PLUGIN_STATIC_DECLARE(jkvmipc);
GST_PLUGIN_STATIC_DECLARE(jkvmmetrics);
GST_PLUGIN_STATIC_DECLARE(jkvmsupervisor);
G_END_DECLS

namespace jkvm {
namespace {

TEST(StaticPlugins, AreRegisteredWithoutFiles)
{
    for (const char *name :
         {"jkvmadaptivequeue", "jkvmaudio", "jkvmipc", "jkvmmetrics", "jkvmsupervisor"}) {
        const auto plugin =
            GstRef<GstPlugin>::adopt(gst_registry_find_plugin(gst_registry_get(), name));
        ASSERT_TRUE(plugin) << name;
        EXPECT_EQ(gst_plugin_get_filename(plugin.get()), nullptr) << name;
    }
}

TEST(StaticPlugins, CarryAudioFromDeviceToDevice)
{
    const testing::TestPcm microphone;
    const testing::TestPcm speaker;
    const testing::TemporaryDirectory directory;
    const auto path = directory.file("a.sock");
    testing::Pipeline sender("jkvmaudiosrc device=" + microphone.device() +
                             " ! jkvmipcsink socket-path=" + path);
    testing::Pipeline receiver(
        "jkvmipcsrc num-buffers=100 socket-path=" + path +
        " ! jkvmadaptivequeue ! jkvmaudiosink name=speaker device=" + speaker.device());
    sender.play();
    receiver.play();
    receiver.wait_for_eos();
    EXPECT_GT(testing::stat(receiver.element("speaker"), "frames"), 0u);
}

} // namespace
} // namespace jkvm

int main(int argc, char **argv)
{
    gst_init(&argc, &argv);
    GST_PLUGIN_STATIC_REGISTER(jkvmadaptivequeue);
    GST_PLUGIN_STATIC_REGISTER(jkvmaudio);
    GST_PLUGIN_STATIC_REGISTER(jkvmipc);
    GST_PLUGIN_STATIC_REGISTER(jkvmmetrics);
    GST_PLUGIN_STATIC_REGISTER(jkvmsupervisor);
    testing::InitGoogleTest(&argc, argv);
    const int result = RUN_ALL_TESTS();
    gst_deinit();
    return result;
}
