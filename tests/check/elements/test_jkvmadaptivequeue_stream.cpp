// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests jkvmadaptivequeue in a pipeline: the order of events and queries, flushes and EOS.
#include "check/elements/adaptive_queue_stream_test.h"

#include <thread>

namespace jkvm {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;
using testing::Output;

TEST_F(JkvmAdaptiveQueueStream, EventsKeepTheirPlaceAmongTheBuffers)
{
    queue_.play();
    push_frames(1);
    push_event(make_marker());
    EXPECT_EQ(queue_.push(990ms), GST_FLOW_OK);
    queue_.advance_to(1005ms);
    queue_.advance_to(1025ms);
    EXPECT_EQ(pull_kinds(3),
              (std::vector{Output::Kind::buffer, Output::Kind::event, Output::Kind::buffer}));
}

TEST_F(JkvmAdaptiveQueueStream, QueryKeepsItsPlaceAndIsAnsweredDownstream)
{
    queue_.play();
    push_frames(1);
    std::thread asking([this] {
        auto *query = gst_query_new_allocation(nullptr, FALSE);
        EXPECT_TRUE(gst_pad_peer_query(queue_.get()->srcpad, query));
        EXPECT_EQ(gst_query_get_n_allocation_params(query), 1u);
        gst_query_unref(query);
    });
    const GstAllocationParams parameters{};
    gst_harness_set_propose_allocator(queue_.get(), nullptr, &parameters);
    queue_.advance_to(1005ms);
    EXPECT_EQ(pull_kinds(2), (std::vector{Output::Kind::buffer, Output::Kind::query}));
    asking.join();
}

TEST_F(JkvmAdaptiveQueueStream, PassesEventsAndQueriesInPaused)
{
    gst_element_set_state(queue_.element(), GST_STATE_PAUSED);
    push_event(make_marker());
    queue_.query(gst_query_new_drain());
    Output output{};
    while (output.event != GST_EVENT_CUSTOM_DOWNSTREAM && !HasFailure())
        output = queue_.pull_any();
    EXPECT_EQ(queue_.pull_any().kind, Output::Kind::query);
}

TEST_F(JkvmAdaptiveQueueStream, NewCapsStartANewStreamAfterTheOldOne)
{
    queue_.play();
    push_frames(2);
    gst_harness_set_src_caps_str(queue_.get(),
                                 "audio/x-opus,rate=48000,channels=1,channel-mapping-family=0");
    EXPECT_EQ(queue_.push(0ms), GST_FLOW_OK); // on another timeline, too
    queue_.advance_to(1005ms);
    queue_.advance_to(1025ms);
    queue_.advance_to(1045ms);
    for (const auto due : {1005ms, 1025ms, 1045ms})
        EXPECT_EQ(queue_.pull().time, due);
    const auto pad = GstRef<GstCaps>::adopt(gst_pad_get_current_caps(queue_.get()->sinkpad));
    gint channels = 0;
    gst_structure_get_int(gst_caps_get_structure(pad.get(), 0), "channels", &channels);
    EXPECT_EQ(channels, 1);
}

TEST_F(JkvmAdaptiveQueueStream, NewCapsDiscardTheTransits)
{
    queue_.play();
    push_frames(1);
    EXPECT_EQ(maximum_transit(), 30ms);
    gst_harness_set_src_caps_str(queue_.get(),
                                 "audio/x-opus,rate=48000,channels=1,channel-mapping-family=0");
    queue_.push(990ms);
    EXPECT_EQ(maximum_transit(), 10ms);
}

TEST_F(JkvmAdaptiveQueueStream, MapsTimesThroughTheSegment)
{
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    segment.start = 500 * GST_MSECOND;
    segment.time = segment.start;
    segment.stop = 980 * GST_MSECOND; // exceeded because of the delay
    queue_.play();
    push_event(gst_event_new_segment(&segment));
    queue_.set_time(470ms + 30ms); // running time of the frame: 470 ms
    queue_.push(970ms);
    queue_.advance_to(505ms);
    EXPECT_EQ(queue_.pull().time, 1005ms);
    const auto event = GstRef<GstEvent>::adopt(
        gst_pad_get_sticky_event(queue_.get()->sinkpad, GST_EVENT_SEGMENT, 0));
    gst_event_copy_segment(event.get(), &segment);
    EXPECT_EQ(segment.stop, GST_CLOCK_TIME_NONE);
}

TEST_F(JkvmAdaptiveQueueStream, EosPushesQueuedBuffersImmediately)
{
    queue_.play();
    push_frames(3);
    push_event(gst_event_new_eos());
    std::vector<nanoseconds> times;
    for (;;) {
        const auto output = queue_.pull_any();
        if (HasFailure() || output.event == GST_EVENT_EOS)
            break;
        if (output.kind == Output::Kind::buffer)
            times.push_back(output.time);
    }
    EXPECT_EQ(times, (std::vector<nanoseconds>{1005ms, 1025ms, 1045ms}));
    EXPECT_EQ(queue_.push(1030ms), GST_FLOW_EOS);
}

TEST_F(JkvmAdaptiveQueueStream, PlaysANewStreamAfterEos)
{
    queue_.play();
    push_frames(1);
    end_stream();
    begin_another_stream();
    queue_.set_time(2s);
    EXPECT_EQ(queue_.push(1970ms), GST_FLOW_OK);
    queue_.advance_to(2005ms);
    const auto gap = queue_.pull();
    EXPECT_EQ(gap.kind, Output::Kind::gap);
    EXPECT_EQ(gap.time, 1025ms);
    EXPECT_EQ(gap.duration, 2005ms - 1025ms);
    EXPECT_EQ(queue_.pull().time, 2005ms);
}

TEST_F(JkvmAdaptiveQueueStream, WakesUpForTheFirstBufferAfterEos)
{
    queue_.play();
    push_frames(1);
    // Repeated because the task may or may not be waiting when the buffer arrives.
    for (auto time = 2s; time <= 200s && !HasFailure(); time += 1s) {
        end_stream();
        begin_another_stream();
        queue_.settle();
        std::this_thread::yield();
        queue_.set_time(time);
        EXPECT_EQ(queue_.push(time - 30ms), GST_FLOW_OK);
        queue_.advance_to(time + 5ms);
        auto output = queue_.pull();
        while (output.kind == Output::Kind::gap)
            output = queue_.pull();
        EXPECT_EQ(output.time, time + 5ms);
    }
}

TEST_F(JkvmAdaptiveQueueStream, GapBeforeEosDoesNotBlockIt)
{
    queue_.play();
    push_frames(2);
    queue_.push_gap(1040ms, 20ms);
    end_stream();
}

TEST_F(JkvmAdaptiveQueueStream, FlushDiscardsBuffersAndTimes)
{
    queue_.play();
    push_frames(3);
    queue_.await_wait(1005ms);
    push_event(gst_event_new_flush_start());
    EXPECT_EQ(queue_.push(1030ms), GST_FLOW_FLUSHING);
    push_event(gst_event_new_flush_stop(TRUE));
    guint level = 1;
    g_object_get(queue_.element(), "current-level-buffers", &level, nullptr);
    EXPECT_EQ(level, 0u);
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    push_event(gst_event_new_segment(&segment));
    queue_.set_time(3s);
    queue_.push(100ms); // a transit of 2.9 s, of a new stream
    queue_.advance_to(3005ms);
    const auto first = queue_.pull();
    EXPECT_EQ(first.time, 3005ms);
    EXPECT_TRUE(first.is_discont);
    queue_.advance_to(3025ms);
    EXPECT_EQ(queue_.pull().duration, 20ms) << "the caps, and so the codec, are kept";
}

TEST_F(JkvmAdaptiveQueueStream, FlushResetsTheTimeOnlyIfRequested)
{
    queue_.play();
    push_frames(1);
    gst_element_set_state(queue_.element(), GST_STATE_PAUSED);
    for (const bool resets_time : {false, true}) {
        push_event(gst_event_new_flush_start());
        push_event(gst_event_new_flush_stop(resets_time ? TRUE : FALSE));
        GstSegment segment;
        gst_segment_init(&segment, GST_FORMAT_TIME);
        push_event(gst_event_new_segment(&segment));
        queue_.push(970ms);
        EXPECT_EQ(maximum_transit(), resets_time ? -970ms : 30ms);
    }
}

TEST_F(JkvmAdaptiveQueueStream, IgnoresGapsInAByteSegment)
{
    queue_.play();
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_BYTES);
    push_event(gst_event_new_segment(&segment));
    queue_.push_gap(0ms, 20ms);
    queue_.set_time(1s);
    queue_.push(0ms); // times are not meaningful
    queue_.advance_to(1005ms);
    EXPECT_EQ(queue_.pull().time, 1005ms);
}

} // namespace
} // namespace jkvm
