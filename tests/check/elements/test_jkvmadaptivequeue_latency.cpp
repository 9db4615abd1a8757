// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests what jkvmadaptivequeue answers to a latency query, and when it posts a changed latency.
#include "check/elements/adaptive_queue_stream_test.h"

namespace jkvm {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;
using testing::stat;

TEST_F(JkvmAdaptiveQueueStream, OffsetModeReportsItsMargin)
{
    queue_.play();
    auto latency = query_latency();
    EXPECT_TRUE(latency.is_live);
    EXPECT_EQ(latency.minimum, 10ms);
    EXPECT_EQ(latency.maximum, (1000 - 500) * GST_MSECOND) << "max-size-time less max-delay";
    queue_.set("output-margin", 15u, "max-size-time", guint64{0});
    latency = query_latency();
    EXPECT_EQ(latency.minimum, 15ms);
    EXPECT_EQ(latency.maximum, (200 * 20 - 500) * GST_MSECOND) << "200 buffers of 20 ms";
    queue_.set("max-size-bytes", 1275u * 40);
    EXPECT_EQ(query_latency().maximum, (40 * 20 - 500) * GST_MSECOND)
        << "40 of the largest packets";
}

TEST_F(JkvmAdaptiveQueueStream, MaximumLatencyIsWhatItCanHold)
{
    gst_pad_set_query_function(
        queue_.get()->srcpad, [](GstPad *, GstObject *, GstQuery *query) -> gboolean {
            gst_query_set_latency(query, TRUE, 30 * GST_MSECOND, 140 * GST_MSECOND);
            return TRUE;
        });
    queue_.play();
    for (const char *leaky : {"upstream", "downstream"}) {
        set_enum("leaky", leaky);
        set_enum("latency-mode", "offset");
        EXPECT_EQ(query_latency().maximum, 500 * GST_MSECOND) << leaky;
        for (const char *mode : {"reported", "fixed"}) {
            set_enum("latency-mode", mode);
            EXPECT_EQ(query_latency().maximum, 1030 * GST_MSECOND) << mode;
        }
    }
    set_enum("leaky", "no"); // 110 ms more in a blocked upstream
    EXPECT_EQ(query_latency().maximum, 1140 * GST_MSECOND);
    set_enum("latency-mode", "offset");
    EXPECT_EQ(query_latency().maximum, 610 * GST_MSECOND);
}

TEST_F(JkvmAdaptiveQueueStream, MinimumLatencyNeverExceedsTheMaximum)
{
    queue_.set("max-size-time", guint64{100 * GST_MSECOND});
    queue_.play();
    for (const char *mode : {"offset", "reported", "fixed"}) {
        set_enum("latency-mode", mode);
        const auto latency = query_latency();
        EXPECT_LE(latency.minimum.count(), static_cast<std::int64_t>(latency.maximum)) << mode;
    }
    EXPECT_EQ(query_latency().minimum, 30ms + 90ms + 10ms) << "the delay that fits";
}

TEST_F(JkvmAdaptiveQueueStream, PostsLatencyWhenTheFrameDurationChangesItsCapacity)
{
    queue_.set("max-size-buffers", 20u);
    queue_.play();
    push_frames(1);
    const auto bus = GstRef<GstBus>::adopt(gst_bus_new());
    gst_element_set_bus(queue_.element(), bus.get());
    auto *buffer = testing::AdaptiveQueueHarness::make_frame(990ms);
    GST_BUFFER_DURATION(buffer) = 10 * GST_MSECOND;
    EXPECT_EQ(gst_harness_push(queue_.get(), buffer), GST_FLOW_OK);
    EXPECT_TRUE(GstRef<GstMessage>::adopt(gst_bus_pop_filtered(bus.get(), GST_MESSAGE_LATENCY)));
    gst_element_set_bus(queue_.element(), nullptr);
}

TEST_F(JkvmAdaptiveQueueStream, FixedModeReportsAndKeepsMaxDelay)
{
    set_enum("latency-mode", "fixed");
    queue_.set("max-delay", 120u);
    queue_.play();
    EXPECT_EQ(query_latency().minimum, 30ms + 120ms + 10ms);
    push_frames(1);
    queue_.advance_to(1120ms);
    EXPECT_EQ(queue_.pull().time, 970ms) << "timestamps are not changed";
}

TEST_F(JkvmAdaptiveQueueStream, ReportedModeKeepsTimestampsAndPostsLatencyOnGrowth)
{
    set_enum("latency-mode", "reported");
    queue_.play();
    EXPECT_EQ(query_latency().minimum, 30ms + 20ms);
    const auto bus = GstRef<GstBus>::adopt(gst_bus_new());
    gst_element_set_bus(queue_.element(), bus.get());
    push_frames(1);
    queue_.advance_to(1005ms);
    EXPECT_EQ(queue_.pull().time, 970ms);
    nanoseconds time = 1025ms;
    for (const auto step : {20ms, 10ms, 10ms}) {
        queue_.advance_to(time);
        EXPECT_EQ(queue_.pull().time, time - 35ms);
        time += step;
    }
    EXPECT_FALSE(GstRef<GstMessage>::adopt(gst_bus_pop_filtered(bus.get(), GST_MESSAGE_LATENCY)));
    queue_.push_at(time - 1ms, 990ms); // 40 ms late
    queue_.advance_to(time);
    EXPECT_EQ(queue_.pull().time, 990ms);
    queue_.await_wait(time + 20ms);
    EXPECT_TRUE(GstRef<GstMessage>::adopt(gst_bus_pop_filtered(bus.get(), GST_MESSAGE_LATENCY)));
    EXPECT_EQ(query_latency().minimum, 30ms + 60ms); // 45 ms of delay, 10 ms of margin
    gst_element_set_bus(queue_.element(), nullptr);
}

TEST_F(JkvmAdaptiveQueueStream, ChangedModePostsLatencyAndIsADiscontinuity)
{
    queue_.play();
    push_frames(2);
    queue_.advance_to(1005ms);
    queue_.pull();
    const auto bus = GstRef<GstBus>::adopt(gst_bus_new());
    gst_element_set_bus(queue_.element(), bus.get());
    set_enum("latency-mode", "reported");
    EXPECT_TRUE(GstRef<GstMessage>::adopt(gst_bus_pop_filtered(bus.get(), GST_MESSAGE_LATENCY)));
    queue_.advance_to(1025ms);
    const auto output = queue_.pull();
    EXPECT_EQ(output.time, 990ms);
    EXPECT_TRUE(output.is_discont);
    gst_element_set_bus(queue_.element(), nullptr);
}

/// Audio beside live video that is 300 ms slower.
class JkvmAdaptiveQueueBesideVideo : public ::testing::TestWithParam<const char *> {
protected:
    /// Limits the latency of the source to 140 ms, like that of a socket.
    JkvmAdaptiveQueueBesideVideo()
    {
        auto *pad = gst_element_get_static_pad(queue_, "sink");
        gst_pad_add_probe(
            pad,
            static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_QUERY_UPSTREAM |
                                         GST_PAD_PROBE_TYPE_PULL),
            [](GstPad *, GstPadProbeInfo *info, gpointer) {
                auto *query = gst_pad_probe_info_get_query(info);
                if (GST_QUERY_TYPE(query) == GST_QUERY_LATENCY)
                    gst_query_set_latency(query, TRUE, 20 * GST_MSECOND, 140 * GST_MSECOND);
                return GST_PAD_PROBE_OK;
            },
            nullptr, nullptr);
        gst_object_unref(pad);
    }
    [[nodiscard]] guint64 disturbed() const
    {
        guint64 sum = 0;
        for (const char *counter : {"dropped", "underruns", "late"})
            sum += stat(queue_, counter);
        return sum;
    }
    /// Plays until so many frames in a row were neither lost nor late. Expects no warning. A busy
    /// machine disturbs single frames; a queue with the wrong latency disturbs them all.
    void play_frames(guint64 count)
    {
        const auto bus = GstRef<GstBus>::adopt(gst_element_get_bus(pipeline_.get()));
        const auto limit = stat(queue_, "played") + 20 * count;
        auto begin = stat(queue_, "played");
        auto before = disturbed();
        while (stat(queue_, "played") < begin + count && !HasFailure()) {
            if (disturbed() != before) {
                before = disturbed();
                begin = stat(queue_, "played");
                EXPECT_LT(begin, limit) << before << " frames were lost or late";
            }
            const auto message = GstRef<GstMessage>::adopt(gst_bus_timed_pop_filtered(
                bus.get(), 10 * GST_MSECOND,
                static_cast<GstMessageType>(GST_MESSAGE_WARNING | GST_MESSAGE_ERROR)));
            if (!message)
                continue;
            GError *error = nullptr;
            gst_message_parse_warning(message.get(), &error, nullptr);
            ADD_FAILURE() << error->message;
            g_error_free(error);
        }
    }

    testing::Pipeline pipeline_{
        "audiotestsrc is-live=true samplesperbuffer=960 ! audio/x-raw,rate=48000 ! "
        "opusenc ! jkvmadaptivequeue name=queue policy=fixed delay=100 max-delay=200 ! "
        "opusdec plc=true ! fakesink sync=true "
        "videotestsrc is-live=true ! video/x-raw,width=16,height=16 ! "
        "queue name=video min-threshold-time=300000000 ! fakesink sync=true"};
    GstElement *queue_ = pipeline_.element("queue");
};

TEST_P(JkvmAdaptiveQueueBesideVideo, HoldsAudioForTheLatencyOfSlowerVideo)
{
    gst_util_set_object_arg(G_OBJECT(queue_), "latency-mode", GetParam());
    pipeline_.play();
    play_frames(50);
    // Another distribution of the latency.
    g_object_set(queue_, "output-margin", 30u, nullptr);
    EXPECT_TRUE(gst_bin_recalculate_latency(GST_BIN(pipeline_.get())));
    play_frames(50);
}

INSTANTIATE_TEST_SUITE_P(LatencyMode, JkvmAdaptiveQueueBesideVideo,
                         ::testing::Values("offset", "reported", "fixed"),
                         [](const auto &info) { return std::string(info.param); });

} // namespace
} // namespace jkvm
