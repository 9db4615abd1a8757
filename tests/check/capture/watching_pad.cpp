// SPDX-License-Identifier: LGPL-2.1-or-later
#include "capture/watching_pad.h"

#include "capture/allocations.h"
#include "common/gst_ref.h"
#include "support/raw_socket.h"

#include <gtest/gtest.h>

namespace jkvm::testing {

WatchingPad::WatchingPad(GstElement *source) : pad_(gst_pad_new("sink", GST_PAD_SINK))
{
    gst_pad_set_element_private(pad_, this);
    gst_pad_set_chain_function(pad_, [](GstPad *pad, GstObject *, GstBuffer *buffer) noexcept {
        return static_cast<WatchingPad *>(gst_pad_get_element_private(pad))->take(buffer);
    });
    gst_pad_set_active(pad_, TRUE);
    const auto its_pad = GstRef<GstPad>::adopt(gst_element_get_static_pad(source, "src"));
    EXPECT_EQ(gst_pad_link(its_pad.get(), pad_), GST_PAD_LINK_OK);
}

WatchingPad::~WatchingPad()
{
    gst_pad_set_active(pad_, FALSE);
    gst_object_unref(pad_);
}

GstFlowReturn WatchingPad::take(GstBuffer *buffer)
{
    const bool is_watched = frames_++ > settling && found_.empty();
    if (is_watched)
        found_ = stop_watching_allocations();
    gst_buffer_unref(buffer);
    if (frames_ == settling + watched) {
        is_done_.set_value();
        return GST_FLOW_EOS;
    }
    if (frames_ > settling && found_.empty())
        watch_allocations();
    return GST_FLOW_OK;
}

void WatchingPad::expect_nothing()
{
    ASSERT_EQ(is_done_.get_future().wait_for(wait_timeout), std::future_status::ready);
    for (const auto &where : found_)
        ADD_FAILURE() << where;
}

} // namespace jkvm::testing
