// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests that jkvmaudiosrc works only while a client of a jkvmipcsink downstream listens.
#include "common/demand.h"
#include "common/gst_ref.h"
#include "common/heartbeat_context.h"
#include "core/base/guarded.h"
#include "support/alsa_device.h"
#include "support/gst_test.h"
#include "support/raw_socket.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>

#include <sys/socket.h>

#include <algorithm>
#include <optional>
#include <stdexcept>

namespace jkvm {
namespace {

using namespace std::chrono_literals;
using testing::stat;

/// What passed the source's pad.
struct Seen {
    guint64 buffers = 0;
    guint64 gaps = 0;
    GstClockTime longest_gap = 0;
    guint64 holes = 0;                      ///< items that do not start where the last one ended
    GstClockTime end = GST_CLOCK_TIME_NONE; ///< of the last item
    bool is_demanded = false;               ///< a listener was reported
    struct First {
        GstClockTime time;
        bool is_discont;
    };
    std::optional<First> first; ///< buffer after that
};

class DemandPath : public ::testing::Test {
protected:
    void make(const std::string &properties = {}, const std::string &before_sink = {},
              const std::string &branch = {})
    {
        pipeline_ = std::make_unique<testing::Pipeline>(
            "jkvmaudiosrc name=src device=" + pcm_.device() + " " + properties + " ! " +
            before_sink + "jkvmipcsink name=sink socket-path=" + path_ + "  " + branch);
        src_ = pipeline_->element("src");
        const auto pad = GstRef<GstPad>::adopt(gst_element_get_static_pad(src_, "src"));
        gst_pad_add_probe(
            pad.get(),
            static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_BOTH),
            on_item, this, nullptr);
    }
    void play(const std::string &properties = {}, const std::string &before_sink = {},
              const std::string &branch = {})
    {
        make(properties, before_sink, branch);
        pipeline_->play();
    }
    [[nodiscard]] std::string text_stat(const char *field) const
    {
        return gst_structure_get_string(testing::stats_of(src_).get(), field);
    }
    [[nodiscard]] std::string activity() const { return text_stat("activity"); }
    void wait_for_activity(const std::string &expected) const
    {
        wait_until([&] { return activity() == expected; }, expected);
    }
    /// Messages are limited to one per second, the statistics are not.
    void wait_for_device(const std::string &state) const
    {
        wait_until([&] { return text_stat("device-state") == state; }, state);
    }
    template <typename Condition>
    static void wait_until(Condition condition, const std::string &what)
    {
        const auto end = monotonic_now() + testing::wait_timeout;
        while (!condition()) {
            if (monotonic_now() >= end)
                throw std::runtime_error("timed out waiting for " + what);
            g_usleep(1000);
        }
    }
    void wait_for_buffers(guint64 count)
    {
        wait_until([&] { return seen_.lock()->buffers >= count; }, "buffers");
    }
    /// Waits until the pipeline's clock has advanced by `duration`.
    void let_time_pass(GstClockTime duration) const
    {
        const auto end = gst_element_get_current_running_time(pipeline_->get()) + duration;
        while (gst_element_get_current_running_time(pipeline_->get()) < end)
            g_usleep(1000);
    }

    testing::TestPcm pcm_;
    testing::TemporaryDirectory directory_;
    std::string path_ = directory_.file("a.sock");
    Guarded<Seen> seen_;
    std::unique_ptr<testing::Pipeline> pipeline_;
    GstElement *src_ = nullptr; // the pipeline's

private:
    static bool demands_listener(GstEvent *event)
    {
        guint listeners = 0;
        return is_demand(event) &&
               gst_structure_get_uint(gst_event_get_structure(event), "listeners", &listeners) &&
               listeners > 0;
    }
    static GstPadProbeReturn on_item(GstPad * /*pad*/, GstPadProbeInfo *info, gpointer self)
    {
        GstClockTime begin = GST_CLOCK_TIME_NONE;
        GstClockTime duration = 0;
        auto seen = static_cast<DemandPath *>(self)->seen_.lock();
        if ((info->type & GST_PAD_PROBE_TYPE_BUFFER) != 0) {
            auto *buffer = GST_PAD_PROBE_INFO_BUFFER(info);
            begin = GST_BUFFER_PTS(buffer);
            duration = GST_BUFFER_DURATION(buffer);
            ++seen->buffers;
            if (seen->is_demanded && !seen->first)
                seen->first = {begin, GST_BUFFER_IS_DISCONT(buffer) != FALSE};
        } else if (GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info)) == GST_EVENT_GAP) {
            gst_event_parse_gap(GST_PAD_PROBE_INFO_EVENT(info), &begin, &duration);
            ++seen->gaps;
            seen->longest_gap = std::max(seen->longest_gap, duration);
        } else {
            if (demands_listener(GST_PAD_PROBE_INFO_EVENT(info)))
                seen->is_demanded = true;
            return GST_PAD_PROBE_OK;
        }
        seen->holes += GST_CLOCK_TIME_IS_VALID(seen->end) && seen->end != begin ? 1 : 0;
        seen->end = begin + duration;
        return GST_PAD_PROBE_OK;
    }
};

TEST_F(DemandPath, SourceIdlesUntilAClientConnectsAndAfterItDisconnected)
{
    play();
    wait_for_activity("idle");
    const auto idle_since = seen_.snapshot();
    let_time_pass(200 * GST_MSECOND);
    EXPECT_EQ(seen_.lock()->buffers, idle_since.buffers);
    EXPECT_EQ(stat(src_, "frames"), idle_since.buffers);
    EXPECT_GE(stat(src_, "unheard-time"), 200 * GST_MSECOND);
    const auto client = testing::connect_to(path_);
    ASSERT_TRUE(client);
    wait_for_buffers(idle_since.buffers + 10);
    EXPECT_EQ(activity(), "encode");
    ::shutdown(client.get(), SHUT_RDWR);
    wait_for_activity("idle");
}

TEST_F(DemandPath, FirstFrameAfterIdleTimeContainsTheTimeOfTheDemand)
{
    constexpr GstClockTime frame = 20 * GST_MSECOND;
    constexpr GstClockTime look_ahead = 6500 * GST_USECOND;
    make();
    set_heartbeat_context(pipeline_->get(), 20ms); // a GAP event for each omitted frame
    pipeline_->play();
    wait_for_activity("idle");
    const auto earlier = testing::connect_to(path_);
    ASSERT_TRUE(earlier);
    wait_until([&] { return seen_.lock()->first.has_value(); }, "the first frame");
    ::shutdown(earlier.get(), SHUT_RDWR);
    wait_for_activity("idle");
    const auto gaps = seen_.lock()->gaps;
    wait_until([&] { return seen_.lock()->gaps > gaps; }, "an omitted frame");
    seen_.lock()->is_demanded = false;
    seen_.lock()->first.reset();
    const auto client = testing::connect_to(path_);
    ASSERT_TRUE(client);
    wait_for_activity("encode");
    const auto handled = gst_element_get_current_running_time(pipeline_->get());
    wait_until([&] { return seen_.lock()->first.has_value(); }, "the first frame");
    const auto seen = seen_.snapshot();
    EXPECT_EQ(seen.holes, 0u) << "a GAP event covers the idle time";
    // A busy machine delays the frame, but does not make it start later.
    EXPECT_LE(seen.first->time + look_ahead, handled + frame);
    EXPECT_TRUE(seen.first->is_discont);
}

TEST_F(DemandPath, RecordingBehindATeeKeepsTheSourceEncoding)
{
    play({}, "tee name=t ! queue ! ", "t. ! queue ! fakesink name=recording");
    wait_for_buffers(20);
    EXPECT_EQ(activity(), "encode");
    // Without the recording, nothing needs the frames.
    auto *tee = pipeline_->element("t");
    const auto pad = GstRef<GstPad>::adopt(gst_element_get_static_pad(tee, "src_1"));
    const auto peer = GstRef<GstPad>::adopt(gst_pad_get_peer(pad.get()));
    gst_pad_unlink(pad.get(), peer.get());
    wait_for_activity("idle");
    // A new link is noticed at once.
    ASSERT_EQ(gst_pad_link(pad.get(), peer.get()), GST_PAD_LINK_OK);
    wait_for_activity("encode");
}

TEST_F(DemandPath, WhenUnheardMayChangeAtAnyTime)
{
    play("when-unheard=encode");
    wait_for_buffers(20);
    EXPECT_EQ(activity(), "encode");
    gst_util_set_object_arg(G_OBJECT(src_), "when-unheard", "release-device");
    wait_for_device("released");
    EXPECT_EQ(activity(), "release-device");
    gst_util_set_object_arg(G_OBJECT(src_), "when-unheard", "idle");
    wait_for_device("run");
    EXPECT_EQ(activity(), "idle");
    const auto before = seen_.lock()->buffers;
    gst_util_set_object_arg(G_OBJECT(src_), "when-unheard", "encode");
    wait_for_buffers(before + 5);
    EXPECT_EQ(seen_.lock()->holes, 0u);
}

TEST_F(DemandPath, ReleasedDeviceIsClosedUntilAClientConnects)
{
    play("when-unheard=release-device");
    pipeline_->wait_for_element_message("jkvm-device", "released");
    ASSERT_TRUE(pcm_.wait_for_log("closed", testing::wait_timeout));
    const auto opened = pcm_.count_log("opened");
    const auto before = seen_.snapshot();
    let_time_pass(300 * GST_MSECOND);
    EXPECT_EQ(seen_.lock()->buffers, before.buffers);
    EXPECT_EQ(seen_.lock()->gaps, before.gaps) << "nothing wakes the thread";
    EXPECT_EQ(pcm_.count_log("opened"), opened);
    const auto client = testing::connect_to(path_);
    wait_for_device("run");
    wait_for_buffers(before.buffers + 10);
    EXPECT_EQ(seen_.lock()->holes, 0u);
    EXPECT_EQ(pcm_.count_log("opened"), opened + 1);
}

TEST_F(DemandPath, DeviceMayChangeWhileItIsReleased)
{
    testing::TestPcm other;
    play("when-unheard=release-device");
    wait_for_device("released");
    g_object_set(src_, "device", other.device().c_str(), nullptr);
    const auto client = testing::connect_to(path_);
    wait_for_device("run");
    EXPECT_EQ(text_stat("device"), other.device());
    EXPECT_EQ(other.count_log("opened"), 1u);
}

TEST_F(DemandPath, DeviceMayChangeWhileAClientListens)
{
    testing::TestPcm other;
    play();
    const auto client = testing::connect_to(path_);
    wait_for_buffers(10);
    g_object_set(src_, "device", other.device().c_str(), nullptr);
    wait_until([&] { return text_stat("device") == other.device(); }, "the other device");
    const auto before = seen_.snapshot().buffers;
    wait_for_buffers(before + 10);
    EXPECT_EQ(seen_.lock()->holes, 0u);
    auto *sink = pipeline_->element("sink");
    EXPECT_EQ(stat(sink, "connects"), 1u);
    EXPECT_EQ(stat(sink, "connection-drops"), 0u);
}

TEST_F(DemandPath, ReleasedSourcePausesAndEnds)
{
    play("when-unheard=release-device");
    wait_for_device("released");
    pipeline_->set_state(GST_STATE_PAUSED);
    pipeline_->play();
    const auto client = testing::connect_to(path_);
    wait_for_device("run");
    ::shutdown(client.get(), SHUT_RDWR);
    wait_for_device("released");
    gst_element_send_event(pipeline_->get(), gst_event_new_eos());
    pipeline_->wait_for_eos();
}

TEST_F(DemandPath, DemandDuringAnUnlinkedTimeIsNoticedAtTheNewLink)
{
    play("when-unheard=release-device", "queue name=queue ! ");
    wait_for_device("released");
    auto *queue = pipeline_->element("queue");
    auto *sink = pipeline_->element("sink");
    gst_element_unlink(queue, sink);
    const auto client = testing::connect_to(path_);
    ASSERT_TRUE(client);
    pipeline_->wait_for_element_message("jkvm-client", "added");
    ASSERT_TRUE(gst_element_link(queue, sink));
    wait_for_device("run");
    EXPECT_EQ(activity(), "encode");
}

TEST_F(DemandPath, EverySinkReportsAgainAfterANewLink)
{
    const auto other_path = directory_.file("b.sock");
    play({}, "tee name=t ! queue ! ",
         "t. ! queue name=queue ! jkvmipcsink name=other socket-path=" + other_path);
    wait_for_activity("idle");
    gst_element_unlink(pipeline_->element("queue"), pipeline_->element("other"));
    ASSERT_TRUE(gst_element_link(pipeline_->element("queue"), pipeline_->element("other")));
    const auto client = testing::connect_to(other_path);
    ASSERT_TRUE(client);
    wait_for_activity("encode");
    ::shutdown(client.get(), SHUT_RDWR);
    wait_for_activity("idle");
}

class WatchedDemandPath : public DemandPath, public ::testing::WithParamInterface<const char *> {};

TEST_P(WatchedDemandPath, GapEventsProveThatTheIdleSourceLives)
{
    make(std::string("when-unheard=") + GetParam());
    set_heartbeat_context(pipeline_->get(), 50ms);
    pipeline_->play();
    wait_for_activity(GetParam());
    wait_until([&] { return seen_.lock()->gaps >= 10; }, "GAP events");
    EXPECT_EQ(activity(), GetParam());
    EXPECT_EQ(seen_.lock()->holes, 0u);
    if (std::string(GetParam()) == "idle") { // else a busy machine delays the events
        EXPECT_LE(seen_.lock()->longest_gap, 50 * GST_MSECOND);
    }
}

INSTANTIATE_TEST_SUITE_P(When, WatchedDemandPath, ::testing::Values("idle", "release-device"),
                         [](const auto &info) {
                             return std::string(info.param) == "idle" ? "Idle" : "Released";
                         });

} // namespace
} // namespace jkvm
