// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests state changes of jkvmadaptivequeue under load, and failures of elements downstream.
#include "check/elements/adaptive_queue_stream_test.h"

#include <atomic>
#include <thread>

namespace jkvm {
namespace {

using namespace std::chrono_literals;
using testing::Output;
using testing::stat;

// --- states ---

TEST_F(JkvmAdaptiveQueueStream, PushesBuffersOnlyInPlaying)
{
    EXPECT_EQ(gst_element_set_state(queue_.element(), GST_STATE_PAUSED),
              GST_STATE_CHANGE_NO_PREROLL);
    push_event(make_marker());
    EXPECT_EQ(queue_.push(970ms), GST_FLOW_OK);
    push_event(gst_event_new_eos()); // after which buffers are pushed without waiting
    while (queue_.pull_any().event != GST_EVENT_CUSTOM_DOWNSTREAM && !HasFailure()) {
    }
    for (int i = 0; i < 1000; ++i) { // its task is running
        g_thread_yield();
        ASSERT_TRUE(queue_.is_nothing_out());
    }
    queue_.play();
    EXPECT_EQ(queue_.pull().time, 5ms) << "it arrived at running time 0";
    EXPECT_EQ(gst_element_set_state(queue_.element(), GST_STATE_PAUSED),
              GST_STATE_CHANGE_NO_PREROLL);
}

TEST_F(JkvmAdaptiveQueueStream, ForwardsAGapBeforeTheFirstBufferThatIsQueued)
{
    gst_element_set_state(queue_.element(), GST_STATE_PAUSED);
    queue_.set_time(1s);
    queue_.push_gap(0ms, 960ms);
    queue_.push(970ms); // at running time 0 still
    queue_.play();
    const auto gap = queue_.pull();
    EXPECT_EQ(gap.kind, Output::Kind::gap);
    EXPECT_EQ(gap.time, 0ms);
}

TEST_F(JkvmAdaptiveQueueStream, CountersAreResetInTheNextSession)
{
    queue_.play();
    push_frames(2);
    gst_element_set_state(queue_.element(), GST_STATE_READY);
    EXPECT_EQ(stat(queue_.element(), "frames"), 2u);
    queue_.play();
    EXPECT_EQ(stat(queue_.element(), "frames"), 0u);
}

TEST(JkvmAdaptiveQueuePipeline, SurvivesStateAndPropertyChangesUnderLoad)
{
    testing::Pipeline pipeline("audiotestsrc samplesperbuffer=240 ! audio/x-raw,rate=48000 ! "
                               "opusenc frame-size=2.5 ! jkvmadaptivequeue name=queue leaky=no "
                               "max-size-buffers=20 ! fakesink sync=false");
    auto *queue = pipeline.element("queue");
    std::atomic<bool> is_over = false;
    std::thread meddling([&] {
        for (int i = 0; !is_over; ++i) {
            g_object_set(queue, "max-delay", i % 50, "latency-mode", i % 3, "policy", i / 3 % 3,
                         nullptr);
            stat(queue, "played");
        }
    });
    for (int i = 0; i < 20; ++i) {
        pipeline.play();
        // Until it has pushed some buffers.
        while (i % 5 == 0 && stat(queue, "played") < 30)
            g_thread_yield();
        for (const auto state : {GST_STATE_PAUSED, GST_STATE_PLAYING, GST_STATE_READY})
            EXPECT_NE(pipeline.set_state(state), GST_STATE_CHANGE_FAILURE);
    }
    is_over = true;
    meddling.join();
}

TEST(JkvmAdaptiveQueuePipeline, SurvivesSeeksUnderLoad)
{
    testing::Pipeline pipeline("audiotestsrc ! opusenc ! jkvmadaptivequeue name=queue leaky=no "
                               "max-size-buffers=20 ! fakesink sync=false");
    auto *queue = pipeline.element("queue");
    pipeline.play();
    for (int i = 0; i < 20; ++i) {
        const auto played = stat(queue, "played");
        EXPECT_TRUE(gst_element_seek_simple(pipeline.get(), GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH,
                                            static_cast<gint64>(i) * GST_SECOND));
        while (i % 5 == 0 && stat(queue, "played") < played + 10)
            g_thread_yield();
    }
}

// --- failures ---

class JkvmAdaptiveQueueRecovery : public JkvmAdaptiveQueueStream {
protected:
    /// Sets the result of every push from now on.
    void let_downstream_return(GstFlowReturn flow)
    {
        flow_ = flow;
        g_object_set_data(G_OBJECT(queue_.get()->sinkpad), "flow", &flow_);
        gst_pad_set_chain_function(queue_.get()->sinkpad,
                                   [](GstPad *pad, GstObject *, GstBuffer *buffer) {
                                       gst_buffer_unref(buffer);
                                       return static_cast<std::atomic<GstFlowReturn> *>(
                                                  g_object_get_data(G_OBJECT(pad), "flow"))
                                           ->load();
                                   });
    }
    GstFlowReturn push_until_refused()
    {
        for (int i = 0; i < 1000000; ++i)
            if (const auto flow = queue_.push(990ms + i * 20ms); flow != GST_FLOW_OK)
                return flow;
        return GST_FLOW_OK;
    }
    std::atomic<GstFlowReturn> flow_{GST_FLOW_OK};
};

class JkvmAdaptiveQueueFailure : public JkvmAdaptiveQueueRecovery,
                                 public ::testing::WithParamInterface<GstFlowReturn> {};

TEST_P(JkvmAdaptiveQueueFailure, ReturnsTheResultOfDownstreamToUpstream)
{
    queue_.play();
    let_downstream_return(GetParam());
    push_frames(1);
    queue_.advance_to(1005ms);
    EXPECT_EQ(push_until_refused(), GetParam());
    EXPECT_FALSE(queue_.query(gst_query_new_drain())); // without blocking
}

INSTANTIATE_TEST_SUITE_P(Flow, JkvmAdaptiveQueueFailure,
                         ::testing::Values(GST_FLOW_NOT_LINKED, GST_FLOW_EOS,
                                           GST_FLOW_NOT_NEGOTIATED, GST_FLOW_ERROR),
                         [](const auto &info) {
                             std::string name = gst_flow_get_name(info.param);
                             std::erase(name, '-');
                             return name;
                         });

TEST_F(JkvmAdaptiveQueueRecovery, PostsAnErrorForAFailureAfterEos)
{
    queue_.play();
    const auto bus = GstRef<GstBus>::adopt(gst_bus_new());
    gst_element_set_bus(queue_.element(), bus.get());
    let_downstream_return(GST_FLOW_ERROR);
    push_frames(2);
    push_event(gst_event_new_eos());
    const auto message = GstRef<GstMessage>::adopt(
        gst_bus_timed_pop_filtered(bus.get(), 20 * GST_SECOND, GST_MESSAGE_ERROR));
    ASSERT_TRUE(message);
    while (queue_.pull_any().event != GST_EVENT_EOS && !HasFailure()) {
    }
    gst_element_set_bus(queue_.element(), nullptr);
}

TEST_F(JkvmAdaptiveQueueRecovery, ContinuesAfterBeingLinkedAgain)
{
    queue_.play();
    let_downstream_return(GST_FLOW_NOT_LINKED);
    push_frames(1);
    queue_.advance_to(1005ms);
    EXPECT_EQ(push_until_refused(), GST_FLOW_NOT_LINKED);
    flow_ = GST_FLOW_OK;
    gst_harness_push_upstream_event(queue_.get(), gst_event_new_reconfigure());
    EXPECT_EQ(queue_.push(2s), GST_FLOW_OK);
}

} // namespace
} // namespace jkvm
