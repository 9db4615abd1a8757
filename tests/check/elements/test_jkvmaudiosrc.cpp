// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/alsa_device.h"
#include "support/gst_test.h"
#include "support/raw_socket.h"

#include <gst/app/gstappsink.h>
#include <gtest/gtest.h>

namespace jkvm {
namespace {

using testing::Pipeline;
using testing::stat;
using testing::TestPcm;

constexpr GstClockTime frame = 20 * GST_MSECOND;
constexpr GstClockTime look_ahead = 6500 * GST_USECOND;

/// The element with an appsink that keeps all buffers.
class JkvmAudioSrc : public ::testing::Test {
protected:
    void open(const std::string &properties = {})
    {
        pipeline_ =
            std::make_unique<Pipeline>("jkvmaudiosrc name=src device=" + pcm_.device() + " " +
                                       properties + " ! appsink name=sink sync=false");
        pipeline_->play();
    }
    GstElement *src() { return pipeline_->element("src"); }
    GstRef<GstSample> pull()
    {
        auto sample = GstRef<GstSample>::adopt(gst_app_sink_try_pull_sample(
            GST_APP_SINK(pipeline_->element("sink")), 20 * GST_SECOND));
        EXPECT_TRUE(sample) << "no buffer arrived";
        return sample;
    }
    static GstBuffer *buffer_of(const GstRef<GstSample> &sample)
    {
        return gst_sample_get_buffer(sample.get());
    }

    TestPcm pcm_;
    std::unique_ptr<Pipeline> pipeline_;
};

TEST_F(JkvmAudioSrc, FramesFollowEachOtherByTwentyMilliseconds)
{
    open("buffer-time=1000000"); // a busy machine must not cause overruns
    auto sample = pull();
    EXPECT_TRUE(GST_BUFFER_IS_DISCONT(buffer_of(sample)));
    auto expected = GST_BUFFER_PTS(buffer_of(sample));
    for (int i = 0; i < 30; ++i) {
        EXPECT_EQ(GST_BUFFER_DURATION(buffer_of(sample)), frame);
        expected += frame;
        sample = pull();
        EXPECT_EQ(GST_BUFFER_PTS(buffer_of(sample)), expected);
        EXPECT_FALSE(GST_BUFFER_IS_DISCONT(buffer_of(sample)));
    }
    EXPECT_GE(stat(src(), "frames"), 31u);
    EXPECT_EQ(stat(src(), "overruns"), 0u);
}

TEST_F(JkvmAudioSrc, CapsMatchOpusenc)
{
    open();
    const auto sample = pull();
    Pipeline peer("audiotestsrc num-buffers=10 ! audio/x-raw,rate=48000,channels=2 ! opusenc ! "
                  "appsink name=sink sync=false");
    peer.play();
    const auto peer_sample = GstRef<GstSample>::adopt(
        gst_app_sink_try_pull_sample(GST_APP_SINK(peer.element("sink")), 20 * GST_SECOND));
    const auto own_caps = GstRef<GstCaps>::adopt(gst_caps_copy(gst_sample_get_caps(sample.get())));
    const auto opusenc_caps =
        GstRef<GstCaps>::adopt(gst_caps_copy(gst_sample_get_caps(peer_sample.get())));

    // The OpusHead, byte for byte: version, channels, pre-skip, rate, gain, mapping.
    const auto head = [](const GstRef<GstCaps> &caps) {
        const auto *headers =
            gst_structure_get_value(gst_caps_get_structure(caps.get(), 0), "streamheader");
        auto *buffer = gst_value_get_buffer(gst_value_array_get_value(headers, 0));
        std::string bytes(gst_buffer_get_size(buffer), '\0');
        gst_buffer_extract(buffer, 0, bytes.data(), bytes.size());
        return bytes;
    };
    EXPECT_EQ(head(own_caps), head(opusenc_caps));
    EXPECT_EQ(head(own_caps).substr(0, 8), "OpusHead");

    // All other fields. The OpusTags name the program that encoded.
    gst_structure_remove_field(gst_caps_get_structure(own_caps.get(), 0), "streamheader");
    gst_structure_remove_field(gst_caps_get_structure(opusenc_caps.get(), 0), "streamheader");
    EXPECT_TRUE(gst_caps_is_strictly_equal(own_caps.get(), opusenc_caps.get()))
        << gst_caps_to_string(own_caps.get()) << " and " << gst_caps_to_string(opusenc_caps.get());
}

TEST_F(JkvmAudioSrc, ReportsOneFrameAndTheLookAheadAsLatency)
{
    open();
    pull();
    auto query = GstRef<GstQuery>::adopt(gst_query_new_latency());
    ASSERT_TRUE(gst_element_query(src(), query.get()));
    gboolean is_live = FALSE;
    GstClockTime minimum = 0;
    GstClockTime maximum = 0;
    gst_query_parse_latency(query.get(), &is_live, &minimum, &maximum);
    EXPECT_TRUE(is_live);
    EXPECT_EQ(minimum, frame + look_ahead);
    EXPECT_EQ(maximum, minimum + 500 * GST_MSECOND);
}

TEST_F(JkvmAudioSrc, BufferArrivesAfterTheReportedLatency)
{
    open();
    GstClockTimeDiff minimum = G_MAXINT64;
    for (int i = 0; i < 25; ++i) {
        const auto sample = pull();
        const auto now = gst_element_get_current_running_time(src());
        minimum = std::min(minimum, GST_CLOCK_DIFF(GST_BUFFER_PTS(buffer_of(sample)), now));
    }
    // A busy machine may be late but never early; the best of 25 frames counts.
    EXPECT_GE(minimum, static_cast<GstClockTimeDiff>(frame + look_ahead - GST_MSECOND));
    EXPECT_LE(minimum, static_cast<GstClockTimeDiff>(frame + look_ahead + 10 * GST_MSECOND));
}

TEST_F(JkvmAudioSrc, OverrunIsADiscontinuityOfItsRealLength)
{
    open();
    const auto first = pull();
    pcm_.send("xrun");
    auto sample = pull();
    auto previous_end = GST_BUFFER_PTS(buffer_of(first)) + frame;
    while (!GST_BUFFER_IS_DISCONT(buffer_of(sample))) {
        previous_end = GST_BUFFER_PTS(buffer_of(sample)) + frame;
        sample = pull();
    }
    EXPECT_GE(GST_BUFFER_PTS(buffer_of(sample)), previous_end);
    EXPECT_EQ(stat(src(), "overruns"), 1u);
    EXPECT_EQ(stat(src(), "lost-time"), GST_BUFFER_PTS(buffer_of(sample)) - previous_end);
    if (stat(src(), "lost-time") > 0)
        pipeline_->wait_for_element_message("jkvm-xrun", "overrun");
    EXPECT_FALSE(GST_BUFFER_IS_DISCONT(buffer_of(pull())));
}

TEST_F(JkvmAudioSrc, StopsAtOnceWhileTheDeviceIsFrozen)
{
    open();
    pull();
    pcm_.send("freeze 3600000");
    ASSERT_TRUE(pcm_.wait_for_log("cmd freeze", testing::wait_timeout));
    pipeline_->set_state(GST_STATE_NULL); // hangs if it waits for the device
    EXPECT_TRUE(pcm_.wait_for_log("close", testing::wait_timeout));
}

TEST_F(JkvmAudioSrc, DiscardsAudioCapturedDuringAPause)
{
    open();
    pull();
    ASSERT_EQ(pcm_.count_log("start at"), 1u) << "a device is started once";
    pipeline_->set_state(GST_STATE_PAUSED);
    pipeline_->play();
    ASSERT_TRUE(pcm_.wait_for_log("start at", testing::wait_timeout, 2));
    // Frames from before the pause may still be in the sink.
    GstRef<GstSample> sample = pull();
    while (!GST_BUFFER_IS_DISCONT(buffer_of(sample)))
        sample = pull();
    const auto now = gst_element_get_current_running_time(src());
    EXPECT_LT(now - GST_BUFFER_PTS(buffer_of(sample)), GST_SECOND);
    EXPECT_EQ(stat(src(), "overruns"), 0u);
}

TEST_F(JkvmAudioSrc, FollowsADeviceThatPausedWithoutLoss)
{
    open();
    pull();
    pcm_.send("freeze 100"); // afterwards its samples are 100 ms younger
    auto sample = pull();
    while (!GST_BUFFER_IS_DISCONT(buffer_of(sample)))
        sample = pull();
    EXPECT_EQ(stat(src(), "resyncs"), 1u);
    EXPECT_EQ(stat(src(), "overruns"), 0u);
    EXPECT_EQ(stat(src(), "lost-time"), 0u);
}

TEST_F(JkvmAudioSrc, StartsAtRunningTimeZero)
{
    pipeline_ = std::make_unique<Pipeline>("jkvmaudiosrc name=src device=" + pcm_.device() +
                                           " ! appsink name=sink sync=false");
    gst_pipeline_set_delay(GST_PIPELINE(pipeline_->get()), 300 * GST_MSECOND);
    pipeline_->play();
    // Earlier samples are not pushed.
    EXPECT_LT(GST_BUFFER_PTS(buffer_of(pull())), frame);
}

TEST_F(JkvmAudioSrc, WorksWithoutAClock)
{
    pipeline_ = std::make_unique<Pipeline>("jkvmaudiosrc name=src device=" + pcm_.device() +
                                           " ! appsink name=sink sync=false");
    gst_pipeline_use_clock(GST_PIPELINE(pipeline_->get()), nullptr);
    pipeline_->play();
    const auto first = GST_BUFFER_PTS(buffer_of(pull()));
    EXPECT_EQ(GST_BUFFER_PTS(buffer_of(pull())), first + frame);
}

TEST_F(JkvmAudioSrc, EndsAtAnEosSentBeforeTheStart)
{
    Pipeline pipeline("jkvmaudiosrc name=src device=" + pcm_.device() + " ! fakesink");
    gst_element_send_event(pipeline.element("src"), gst_event_new_eos());
    pipeline.set_state(GST_STATE_READY);
    gst_element_send_event(pipeline.element("src"), gst_event_new_eos());
    pipeline.play();
    pipeline.wait_for_eos();
}

TEST_F(JkvmAudioSrc, RingHasTheConfiguredSizeInWholeFrames)
{
    open("buffer-time=130000");
    pull();
    gint64 buffer_time = 0;
    gint64 latency_time = 0;
    g_object_get(src(), "actual-buffer-time", &buffer_time, "actual-latency-time", &latency_time,
                 nullptr);
    EXPECT_EQ(buffer_time, 140000);
    EXPECT_EQ(latency_time, 10000);
}

TEST_F(JkvmAudioSrc, LeaksNothingAcrossStartsAndStops)
{
    open();
    pull();
    pipeline_->set_state(GST_STATE_NULL);
    const auto descriptors = testing::open_descriptors();
    for (int i = 0; i < 20; ++i) {
        pipeline_->play();
        pull();
        pipeline_->set_state(GST_STATE_NULL);
    }
    EXPECT_EQ(testing::open_descriptors(), descriptors);
}

} // namespace
} // namespace jkvm
