// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests the event by which jkvmaudiosrc describes its state downstream.
#include "capture/capture_test.h"

#include "common/encoder_request.h"
#include "common/source_state.h"

#include <functional>

namespace jkvm {
namespace {

class CaptureState : public CaptureTest {
protected:
    /// Returns the last event that reached the sink; nothing known without one.
    wire::SourceState state()
    {
        const auto pad =
            GstRef<GstPad>::adopt(gst_element_get_static_pad(pipeline_->element("sink"), "sink"));
        for (guint i = 0;; ++i) {
            const auto event = GstRef<GstEvent>::adopt(
                gst_pad_get_sticky_event(pad.get(), GST_EVENT_CUSTOM_DOWNSTREAM_STICKY, i));
            if (!event)
                return {};
            if (is_source_state(event.get()))
                return parse_source_state(event.get());
        }
    }
    /// Pulls buffers until the state meets the condition.
    wire::SourceState wait_for(const std::function<bool(const wire::SourceState &)> &condition)
    {
        follow_until([&](const Pulled &) { return condition(state()); });
        return state();
    }
};

TEST_F(CaptureState, DescribesDeviceAndEncoderFromTheFirstBufferOn)
{
    make("quality=high");
    pipeline_->play();
    pull();
    EXPECT_NE(state().device_state, "");
    const auto running = wait_for([](const auto &state) { return state.device_state == "run"; });
    EXPECT_EQ(running.reason, "none");
    EXPECT_EQ(running.muted, false);
    EXPECT_EQ(running.quality, "high");
    EXPECT_EQ(running.bitrate, 192000u);
    EXPECT_EQ(running.complexity, 5u);
    EXPECT_EQ(running.frame, std::chrono::milliseconds(20));
    EXPECT_EQ(running.dtx, false);
    EXPECT_EQ(running.packet_loss_percentage, 0u);
    EXPECT_EQ(running.decided_by, "properties");
}

TEST_F(CaptureState, ReportsALostDeviceWithItsReasonAndItsReturn)
{
    open();
    wait_for([](const auto &state) { return state.device_state == "run"; });
    pcm_.send("unplug");
    const auto lost = wait_for([](const auto &state) { return state.device_state == "lost"; });
    EXPECT_EQ(lost.reason, "unplugged");
    pcm_.clear_open_errno();
    const auto back = wait_for([](const auto &state) { return state.device_state == "run"; });
    EXPECT_EQ(back.reason, "none");
}

TEST_F(CaptureState, ReportsMuteAndChangedProperties)
{
    open();
    set("mute", TRUE, "bitrate", 48000);
    const auto changed = wait_for(
        [](const auto &state) { return state.muted.value_or(false) && state.bitrate == 48000; });
    EXPECT_EQ(changed.quality, "custom");
    set("mute", FALSE);
    wait_for([](const auto &state) { return !state.muted.value_or(true); });
}

TEST_F(CaptureState, TellsRequestsFromProperties)
{
    open();
    const auto pad = GstRef<GstPad>::adopt(gst_element_get_static_pad(src(), "src"));
    const auto request = [&](const char *field, GType type, auto value) {
        auto *fields = gst_structure_new(encoder_request_name, field, type, value, nullptr);
        gst_pad_send_event(pad.get(), gst_event_new_custom(GST_EVENT_CUSTOM_UPSTREAM, fields));
    };
    request("bitrate", G_TYPE_UINT, 24000U);
    const auto requested = wait_for([](const auto &state) { return state.bitrate == 24000; });
    EXPECT_EQ(requested.decided_by, "request");
    EXPECT_EQ(requested.quality, "custom");
    request("withdrawn", G_TYPE_BOOLEAN, TRUE);
    const auto own = wait_for([](const auto &state) { return state.decided_by == "properties"; });
    EXPECT_EQ(own.bitrate, 96000u);
    EXPECT_EQ(own.quality, "medium");
}

} // namespace
} // namespace jkvm
