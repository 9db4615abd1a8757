// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests that a receiver's encoder request travels through the socket to the encoder.
#include "support/gst_test.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>

namespace jkvm {
namespace {

using testing::Pipeline;

/// Posts a copy of each encoder request that passes the pad as an element message.
GstPadProbeReturn post_request(GstPad *pad, GstPadProbeInfo *info, gpointer)
{
    auto *event = GST_PAD_PROBE_INFO_EVENT(info);
    if (gst_event_has_name(event, "jkvm-encoder-request")) {
        auto *element = GST_ELEMENT(GST_OBJECT_PARENT(pad));
        gst_element_post_message(
            element, gst_message_new_element(GST_OBJECT(element),
                                             gst_structure_copy(gst_event_get_structure(event))));
    }
    return GST_PAD_PROBE_OK;
}

TEST(EncoderRequest, ReachesTheSendersPipeline)
{
    testing::TemporaryDirectory directory;
    const auto path = directory.file("a.sock");
    Pipeline sending(
        "audiotestsrc is-live=true samplesperbuffer=960 ! opusenc ! identity name=tap ! "
        "jkvmipcsink dialect=v2 socket-path=" +
        path);
    const auto pad =
        GstRef<GstPad>::adopt(gst_element_get_static_pad(sending.element("tap"), "src"));
    gst_pad_add_probe(pad.get(), GST_PAD_PROBE_TYPE_EVENT_UPSTREAM, post_request, nullptr, nullptr);
    sending.play();

    Pipeline receiving("jkvmipcsrc dialect=v2 socket-path=" + path + " ! fakesink name=sink");
    receiving.play();
    receiving.wait_for_element_message("jkvm-link", "connected");
    const auto sink =
        GstRef<GstPad>::adopt(gst_element_get_static_pad(receiving.element("sink"), "sink"));
    gst_pad_push_event(
        sink.get(),
        gst_event_new_custom(GST_EVENT_CUSTOM_UPSTREAM,
                             gst_structure_new("jkvm-encoder-request", "bitrate", G_TYPE_UINT,
                                               32000, "dtx", G_TYPE_BOOLEAN, TRUE, nullptr)));

    const auto message = sending.wait_for_element_message("jkvm-encoder-request");
    ASSERT_TRUE(message);
    guint bitrate = 0;
    guint complexity = 99;
    gboolean dtx = FALSE;
    ASSERT_TRUE(gst_structure_get(gst_message_get_structure(message.get()), "bitrate", G_TYPE_UINT,
                                  &bitrate, "complexity", G_TYPE_UINT, &complexity, "dtx",
                                  G_TYPE_BOOLEAN, &dtx, nullptr));
    EXPECT_EQ(bitrate, 32000u);
    EXPECT_TRUE(dtx);
    EXPECT_LE(complexity, 10u); // a field that was not requested has a valid value
}

} // namespace
} // namespace jkvm
