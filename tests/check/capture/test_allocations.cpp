// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests that the streaming thread of jkvmaudiosrc does not allocate in steady state.
#include "capture/watching_pad.h"
#include "support/alsa_device.h"
#include "support/gst_test.h"

#include <gtest/gtest.h>

namespace jkvm {
namespace {

class CaptureAllocations : public ::testing::TestWithParam<const char *> {};

TEST_P(CaptureAllocations, NoneForAFrame)
{
    testing::TestPcm pcm;
    const auto element = GstRef<GstElement>::adopt(
        GST_ELEMENT(gst_object_ref_sink(gst_element_factory_make("jkvmaudiosrc", nullptr))));
    auto *const src = element.get();
    testing::WatchingPad pad(src);
    g_object_set(src, "device", pcm.device().c_str(), "buffer-time", gint64{1000000},
                 "stats-interval", 0, nullptr); // a report allocates
    gst_util_set_object_arg(G_OBJECT(src), "frame-size", "5");
    if (*GetParam() != 0)
        g_object_set(src, "volume", 0.5, nullptr);
    const auto bus = GstRef<GstBus>::adopt(gst_bus_new());
    gst_element_set_bus(src, bus.get());
    auto *clock = gst_system_clock_obtain();
    gst_element_set_clock(src, clock);
    gst_element_set_base_time(src, gst_clock_get_time(clock));
    gst_object_unref(clock);
    gst_element_set_state(src, GST_STATE_PLAYING);
    pad.expect_nothing();
    gst_element_set_state(src, GST_STATE_NULL);
    gst_element_set_bus(src, nullptr);
}

INSTANTIATE_TEST_SUITE_P(Of, CaptureAllocations, ::testing::Values("", "volume"),
                         [](const auto &info) {
                             return *info.param == 0 ? "Unchanged" : "WithVolume";
                         });

} // namespace
} // namespace jkvm
