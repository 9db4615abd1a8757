// SPDX-License-Identifier: LGPL-2.1-or-later
// The streaming thread of jkvmaudiosrc allocates nothing once it runs.
#include "capture/allocations.h"
#include "support/alsa_device.h"
#include "support/gst_test.h"
#include "support/raw_socket.h"

#include <gtest/gtest.h>

#include <future>

namespace jkvm {
namespace {

/// Between a buffer that was taken and the next one that arrives lies all that the element does.
class CaptureAllocations : public ::testing::TestWithParam<const char *> {
protected:
    static constexpr int settling = 50;
    static constexpr int watched = 200;

    struct Sink {
        int frames = 0;
        std::vector<std::string> found;
        std::promise<void> is_done;
    };
    static GstFlowReturn take(GstPad *pad, GstObject *, GstBuffer *buffer)
    {
        auto &sink = *static_cast<Sink *>(gst_pad_get_element_private(pad));
        if (sink.frames++ > settling)
            sink.found = testing::stop_watching_allocations();
        gst_buffer_unref(buffer);
        if (!sink.found.empty() || sink.frames == settling + watched) {
            sink.is_done.set_value();
            return GST_FLOW_EOS;
        }
        if (sink.frames > settling)
            testing::watch_allocations();
        return GST_FLOW_OK;
    }
};

TEST_P(CaptureAllocations, NoneForAFrame)
{
    testing::TestPcm pcm;
    Sink sink;
    auto *src = gst_element_factory_make("jkvmaudiosrc", nullptr);
    gst_object_ref_sink(src);
    // A report of statistics is made of small pieces.
    g_object_set(src, "device", pcm.device().c_str(), "buffer-time", gint64{1000000},
                 "stats-interval", 0, nullptr);
    gst_util_set_object_arg(G_OBJECT(src), "frame-size", "5");
    if (*GetParam() != 0)
        g_object_set(src, "volume", 0.5, nullptr);
    auto *pad = gst_pad_new("sink", GST_PAD_SINK);
    gst_pad_set_element_private(pad, &sink);
    gst_pad_set_chain_function(pad, &CaptureAllocations::take);
    gst_pad_set_active(pad, TRUE);
    const auto src_pad = GstRef<GstPad>::adopt(gst_element_get_static_pad(src, "src"));
    ASSERT_EQ(gst_pad_link(src_pad.get(), pad), GST_PAD_LINK_OK);
    const auto bus = GstRef<GstBus>::adopt(gst_bus_new());
    gst_element_set_bus(src, bus.get());
    auto *clock = gst_system_clock_obtain();
    gst_element_set_clock(src, clock);
    gst_element_set_base_time(src, gst_clock_get_time(clock));
    gst_object_unref(clock);
    gst_element_set_state(src, GST_STATE_PLAYING);
    EXPECT_EQ(sink.is_done.get_future().wait_for(testing::patience), std::future_status::ready);
    gst_element_set_state(src, GST_STATE_NULL);
    EXPECT_EQ(sink.frames, settling + watched);
    for (const auto &where : sink.found)
        ADD_FAILURE() << where;
    gst_element_set_bus(src, nullptr);
    gst_pad_set_active(pad, FALSE);
    gst_object_unref(pad);
    gst_object_unref(src);
}

INSTANTIATE_TEST_SUITE_P(Of, CaptureAllocations, ::testing::Values("", "volume"),
                         [](const auto &info) {
                             return *info.param == 0 ? "Sound" : "SoundTurnedDown";
                         });

} // namespace
} // namespace jkvm
