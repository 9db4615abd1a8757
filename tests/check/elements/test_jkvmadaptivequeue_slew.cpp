// SPDX-License-Identifier: LGPL-2.1-or-later
// When jkvmadaptivequeue slews its delay: the query jkvm-follows-timestamps and the path to the
// sink.
#include "check/elements/adaptive_queue_harness.h"
#include "support/raw_socket.h"

#include <gst/app/gstappsrc.h>

#include <atomic>
#include <functional>
#include <optional>

namespace jkvm {
namespace {

using namespace std::chrono_literals;
using testing::Pipeline;

constexpr const char *query_name = "jkvm-follows-timestamps";

/// `appsrc ! jkvmadaptivequeue ! PATH ! fakesink`, where the sink answers the query.
class JkvmAdaptiveQueueSlew : public ::testing::Test {
protected:
    ~JkvmAdaptiveQueueSlew() override { pipeline_.reset(); }

    void start(const std::string &path, const std::string &properties = {})
    {
        pipeline_.emplace("appsrc name=src is-live=true format=time "
                          "caps=audio/x-opus,rate=48000,channels=2,channel-mapping-family=0 ! "
                          "jkvmadaptivequeue name=queue " +
                          properties + " ! " + path + "fakesink name=sink async=false");
        const auto pad =
            GstRef<GstPad>::adopt(gst_element_get_static_pad(pipeline_->element("sink"), "sink"));
        gst_pad_add_probe(
            pad.get(), GST_PAD_PROBE_TYPE_QUERY_DOWNSTREAM,
            [](GstPad *, GstPadProbeInfo *info, gpointer self) noexcept {
                return static_cast<JkvmAdaptiveQueueSlew *>(self)->answer(info);
            },
            this, nullptr);
        pipeline_->play();
    }
    /// Returns the mode that is in use once a frame was pushed.
    std::string mode_in_use()
    {
        const auto played = testing::stat(queue(), "played");
        auto *buffer = testing::AdaptiveQueueHarness::make_frame(media_time_);
        GST_BUFFER_PTS(buffer) = GST_CLOCK_TIME_NONE;
        media_time_ += 20ms;
        EXPECT_EQ(gst_app_src_push_buffer(GST_APP_SRC(pipeline_->element("src")), buffer),
                  GST_FLOW_OK);
        const auto give_up = monotonic_now() + testing::wait_timeout;
        while (testing::stat(queue(), "played") == played) {
            if (monotonic_now() > give_up) {
                ADD_FAILURE() << "no frame is played";
                break;
            }
            g_thread_yield();
        }
        return gst_structure_get_string(testing::stats_of(queue()).get(), "adapt-in-use");
    }
    GstElement *queue() { return pipeline_->element("queue"); }

    std::optional<Pipeline> pipeline_;
    std::atomic<bool> follows_{true};

private:
    GstPadProbeReturn answer(GstPadProbeInfo *info)
    {
        auto *query = gst_pad_probe_info_get_query(info);
        if (GST_QUERY_TYPE(query) != GST_QUERY_CUSTOM ||
            !gst_structure_has_name(gst_query_get_structure(query), query_name) ||
            (info->type & GST_PAD_PROBE_TYPE_PUSH) == 0)
            return GST_PAD_PROBE_OK;
        gst_structure_set(gst_query_writable_structure(query), "follows", G_TYPE_BOOLEAN,
                          static_cast<gboolean>(follows_), nullptr);
        return GST_PAD_PROBE_HANDLED;
    }

    nanoseconds media_time_{0};
};

class JkvmAdaptiveQueueSlewPath : public JkvmAdaptiveQueueSlew,
                                  public ::testing::WithParamInterface<const char *> {};

TEST_P(JkvmAdaptiveQueueSlewPath, SlewsIfTheSinkFollows)
{
    start(GetParam());
    EXPECT_EQ(mode_in_use(), "slew");
}

INSTANTIATE_TEST_SUITE_P(Elements, JkvmAdaptiveQueueSlewPath,
                         ::testing::Values("", "opusdec plc=true ! ", "queue ! identity ! ",
                                           "opusdec ! queue ! volume ! "
                                           "audio/x-raw,rate=48000 ! ",
                                           "bin.( queue ! identity ) ! "));

class JkvmAdaptiveQueueFramesPath : public JkvmAdaptiveQueueSlewPath {};

TEST_P(JkvmAdaptiveQueueFramesPath, ChangesByFramesIfTimestampsMayBeLost)
{
    start(GetParam());
    EXPECT_EQ(mode_in_use(), "frames");
}

INSTANTIATE_TEST_SUITE_P(Elements, JkvmAdaptiveQueueFramesPath,
                         ::testing::Values("tee ! ", "tee name=t ! queue ! fakesink t. ! queue ! ",
                                           "opusdec ! audioconvert ! ", "clocksync ! ",
                                           "bin.( queue ! tee ) ! "));

TEST_F(JkvmAdaptiveQueueSlew, ChangesByFramesIfTheSinkDoesNotAnswer)
{
    pipeline_.emplace("appsrc name=src is-live=true format=time "
                      "caps=audio/x-opus,rate=48000,channels=2,channel-mapping-family=0 ! "
                      "jkvmadaptivequeue name=queue ! fakesink async=false");
    pipeline_->play();
    EXPECT_EQ(mode_in_use(), "frames");
}

TEST_F(JkvmAdaptiveQueueSlew, AsksAgainAfterReconfigure)
{
    start("identity name=before ! ");
    EXPECT_EQ(mode_in_use(), "slew");
    follows_ = false;
    EXPECT_EQ(mode_in_use(), "slew") << "not asked again";
    const auto pad =
        GstRef<GstPad>::adopt(gst_element_get_static_pad(pipeline_->element("before"), "src"));
    gst_pad_send_event(pad.get(), gst_event_new_reconfigure());
    EXPECT_EQ(mode_in_use(), "frames");
}

TEST_F(JkvmAdaptiveQueueSlew, PropertySelectsTheMode)
{
    start("", "adapt=frames");
    EXPECT_EQ(mode_in_use(), "frames");
    gst_util_set_object_arg(G_OBJECT(queue()), "adapt", "auto");
    EXPECT_EQ(mode_in_use(), "slew");
    gst_util_set_object_arg(G_OBJECT(queue()), "latency-mode", "reported");
    EXPECT_EQ(mode_in_use(), "frames") << "timestamps do not contain the delay";
    gst_util_set_object_arg(G_OBJECT(queue()), "latency-mode", "offset");
    follows_ = false;
    gst_util_set_object_arg(G_OBJECT(queue()), "adapt", "slew");
    EXPECT_EQ(mode_in_use(), "slew") << "whatever the sink answers";
}

} // namespace
} // namespace jkvm
