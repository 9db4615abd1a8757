// SPDX-License-Identifier: LGPL-2.1-or-later
// jkvmadaptivequeue as a part of a pipeline: events, queries, latency, states, failures.
#include "check/elements/adaptive_queue_harness.h"

#include <atomic>
#include <thread>

namespace jkvm {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;
using testing::Output;
using testing::stat;

class JkvmAdaptiveQueueStream : public ::testing::Test {
protected:
    /// Frames that arrive at 1 s, and the first of them is due at 1005 ms.
    void push_frames(int count)
    {
        queue_.set_time(1s);
        for (int i = 0; i < count; ++i)
            EXPECT_EQ(queue_.push(970ms + i * 20ms), GST_FLOW_OK);
    }
    void push_event(GstEvent *event) { gst_harness_push_event(queue_.get(), event); }
    /// Waits until the end has come out.
    void end_stream()
    {
        push_event(gst_event_new_eos());
        while (queue_.pull_any().event != GST_EVENT_EOS && !HasFailure()) {
        }
    }
    void begin_another_stream()
    {
        push_event(gst_event_new_stream_start("another"));
        GstSegment segment;
        gst_segment_init(&segment, GST_FORMAT_TIME);
        push_event(gst_event_new_segment(&segment));
    }
    [[nodiscard]] static GstEvent *make_marker()
    {
        return gst_event_new_custom(GST_EVENT_CUSTOM_DOWNSTREAM, gst_structure_new_empty("marker"));
    }
    /// What is before the first buffer is passed over.
    std::vector<Output::Kind> pull_kinds(std::size_t count)
    {
        std::vector<Output::Kind> kinds;
        while (kinds.size() < count && !HasFailure()) {
            const auto output = queue_.pull_any();
            if (!kinds.empty() || output.kind == Output::Kind::buffer)
                kinds.push_back(output.kind);
        }
        return kinds;
    }
    struct Latency {
        gboolean is_live;
        nanoseconds least;
        GstClockTime most;
    };
    /// With an upstream that is live and has 30 ms.
    Latency query_latency()
    {
        auto *query = gst_query_new_latency();
        gst_harness_set_upstream_latency(queue_.get(), 30 * GST_MSECOND);
        EXPECT_TRUE(gst_pad_peer_query(queue_.get()->sinkpad, query));
        Latency latency{};
        GstClockTime least = 0;
        gst_query_parse_latency(query, &latency.is_live, &least, &latency.most);
        gst_query_unref(query);
        latency.least = nanoseconds(least);
        return latency;
    }
    nanoseconds longest_transit()
    {
        gint64 transit = 0;
        gst_structure_get_int64(testing::stats_of(queue_.element()).get(), "transit-max", &transit);
        return nanoseconds(transit);
    }
    void set_enum(const char *property, const char *nick)
    {
        gst_util_set_object_arg(G_OBJECT(queue_.element()), property, nick);
    }

    testing::AdaptiveQueueHarness queue_;
};

// --- order ---

TEST_F(JkvmAdaptiveQueueStream, EventsKeepTheirPlaceBetweenTheBuffers)
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

TEST_F(JkvmAdaptiveQueueStream, QueryKeepsItsPlaceAndIsAnsweredByDownstream)
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

TEST_F(JkvmAdaptiveQueueStream, EventsAndQueriesDoNotWaitForPlaying)
{
    gst_element_set_state(queue_.element(), GST_STATE_PAUSED);
    push_event(make_marker());
    queue_.query(gst_query_new_drain());
    Output output{};
    while (output.event != GST_EVENT_CUSTOM_DOWNSTREAM && !HasFailure())
        output = queue_.pull_any();
    EXPECT_EQ(queue_.pull_any().kind, Output::Kind::query);
}

TEST_F(JkvmAdaptiveQueueStream, NewCapsBeginAStreamOfTheirOwnBehindTheOldOne)
{
    queue_.play();
    push_frames(2);
    gst_harness_set_src_caps_str(queue_.get(),
                                 "audio/x-opus,rate=48000,channels=1,channel-mapping-family=0");
    EXPECT_EQ(queue_.push(0ms), GST_FLOW_OK); // another time line, too
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

TEST_F(JkvmAdaptiveQueueStream, WhatWasLearnedIsOfTheOldCaps)
{
    queue_.play();
    push_frames(1);
    EXPECT_EQ(longest_transit(), 30ms);
    gst_harness_set_src_caps_str(queue_.get(),
                                 "audio/x-opus,rate=48000,channels=1,channel-mapping-family=0");
    queue_.push(990ms);
    EXPECT_EQ(longest_transit(), 10ms);
}

TEST_F(JkvmAdaptiveQueueStream, TimesAreThoseOfTheSegment)
{
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    segment.start = 500 * GST_MSECOND;
    segment.time = segment.start;
    segment.stop = 980 * GST_MSECOND; // the delay moves it out
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

TEST_F(JkvmAdaptiveQueueStream, EndOfStreamPlaysOutWhatIsQueuedAtOnce)
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

TEST_F(JkvmAdaptiveQueueStream, NewStreamAfterTheEndPlays)
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

TEST_F(JkvmAdaptiveQueueStream, FirstBufferOfANewStreamAfterTheEndIsNotOverslept)
{
    queue_.play();
    push_frames(1);
    // Whether the task sleeps already when the buffer comes is a matter of luck.
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

TEST_F(JkvmAdaptiveQueueStream, GapBeforeTheEndDoesNotHoldThatUp)
{
    queue_.play();
    push_frames(2);
    queue_.push_gap(1040ms, 20ms);
    end_stream();
}

TEST_F(JkvmAdaptiveQueueStream, FlushForgetsBuffersAndTimes)
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
    queue_.push(100ms); // late by 2.9 s, which is not known yet
    queue_.advance_to(3005ms);
    const auto first = queue_.pull();
    EXPECT_EQ(first.time, 3005ms);
    EXPECT_TRUE(first.is_discont);
    queue_.advance_to(3025ms);
    EXPECT_EQ(queue_.pull().duration, 2500us) << "the caps, and so the codec, are known still";
}

TEST_F(JkvmAdaptiveQueueStream, FlushInPausedKeepsTheTimeIfItSaysSo)
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
        EXPECT_EQ(longest_transit(), resets_time ? -970ms : 30ms);
    }
}

TEST_F(JkvmAdaptiveQueueStream, GapOfAStreamThatCountsInBytesIsPassedOver)
{
    queue_.play();
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_BYTES);
    push_event(gst_event_new_segment(&segment));
    queue_.push_gap(0ms, 20ms);
    queue_.set_time(1s);
    queue_.push(0ms); // its times mean nothing
    queue_.advance_to(1005ms);
    EXPECT_EQ(queue_.pull().time, 1005ms);
}

// --- latency ---

TEST_F(JkvmAdaptiveQueueStream, ModeOffsetReportsItsMarginOnly)
{
    queue_.play();
    auto latency = query_latency();
    EXPECT_TRUE(latency.is_live);
    EXPECT_EQ(latency.least, 10ms);
    EXPECT_EQ(latency.most, 1 * GST_SECOND);
    queue_.set("output-margin", 15u, "max-size-time", guint64{0});
    latency = query_latency();
    EXPECT_EQ(latency.least, 15ms);
    EXPECT_EQ(latency.most, GST_CLOCK_TIME_NONE);
}

TEST_F(JkvmAdaptiveQueueStream, WhatLeaksCannotBeWaitedFor)
{
    gst_pad_set_query_function(
        queue_.get()->srcpad, [](GstPad *, GstObject *, GstQuery *query) -> gboolean {
            gst_query_set_latency(query, TRUE, 30 * GST_MSECOND, 400 * GST_MSECOND);
            return TRUE;
        });
    queue_.play();
    EXPECT_EQ(query_latency().most, 400 * GST_MSECOND);
    queue_.set("max-size-time", guint64{100 * GST_MSECOND});
    EXPECT_EQ(query_latency().most, 100 * GST_MSECOND);
    set_enum("leaky", "no");
    EXPECT_EQ(query_latency().most, 500 * GST_MSECOND);
    queue_.set("max-size-time", guint64{0});
    EXPECT_EQ(query_latency().most, GST_CLOCK_TIME_NONE);
}

TEST_F(JkvmAdaptiveQueueStream, ModeFixedReportsTheMostDelayAndKeepsIt)
{
    set_enum("latency-mode", "fixed");
    queue_.set("max-delay", 120u);
    queue_.play();
    EXPECT_EQ(query_latency().least, 30ms + 120ms + 10ms);
    push_frames(1);
    queue_.advance_to(1120ms);
    EXPECT_EQ(queue_.pull().time, 970ms) << "timestamps stay";
}

TEST_F(JkvmAdaptiveQueueStream, ModeReportedLeavesTimestampsAndTellsOfGrowth)
{
    set_enum("latency-mode", "reported");
    queue_.play();
    EXPECT_EQ(query_latency().least, 30ms + 20ms);
    const auto bus = GstRef<GstBus>::adopt(gst_bus_new());
    gst_element_set_bus(queue_.element(), bus.get());
    push_frames(1);
    queue_.advance_to(1005ms);
    EXPECT_EQ(queue_.pull().time, 970ms);
    nanoseconds time = 1025ms;
    for (; time < 1065ms; time += 2500us) {
        queue_.advance_to(time);
        EXPECT_EQ(queue_.pull().time, time - 35ms);
    }
    EXPECT_FALSE(GstRef<GstMessage>::adopt(gst_bus_pop_filtered(bus.get(), GST_MESSAGE_LATENCY)));
    queue_.push_at(time - 1ms, 990ms); // 40 ms late
    queue_.advance_to(time);
    EXPECT_EQ(queue_.pull().time, 990ms);
    queue_.await_wait(time + 20ms);
    EXPECT_TRUE(GstRef<GstMessage>::adopt(gst_bus_pop_filtered(bus.get(), GST_MESSAGE_LATENCY)));
    EXPECT_EQ(query_latency().least, 30ms + 60ms); // 45 ms of delay, 10 ms of margin
    gst_element_set_bus(queue_.element(), nullptr);
}

TEST_F(JkvmAdaptiveQueueStream, ChangedModeIsToldAndIsADiscontinuity)
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

// --- states ---

TEST_F(JkvmAdaptiveQueueStream, PlaysOnlyWhilePlaying)
{
    EXPECT_EQ(gst_element_set_state(queue_.element(), GST_STATE_PAUSED),
              GST_STATE_CHANGE_NO_PREROLL);
    push_event(make_marker());
    EXPECT_EQ(queue_.push(970ms), GST_FLOW_OK);
    push_event(gst_event_new_eos()); // so that no time would have to be waited for
    while (queue_.pull_any().event != GST_EVENT_CUSTOM_DOWNSTREAM && !HasFailure()) {
    }
    for (int i = 0; i < 1000; ++i) { // its task is awake, and could
        g_thread_yield();
        ASSERT_TRUE(queue_.is_nothing_out());
    }
    queue_.play();
    EXPECT_EQ(queue_.pull().time, 5ms) << "it arrived at running time 0";
    EXPECT_EQ(gst_element_set_state(queue_.element(), GST_STATE_PAUSED),
              GST_STATE_CHANGE_NO_PREROLL);
}

TEST_F(JkvmAdaptiveQueueStream, GapBeforeTheFirstBufferGoesOnEvenIfThatIsThere)
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

TEST_F(JkvmAdaptiveQueueStream, CountersBeginAnewWithTheNextRunOnly)
{
    queue_.play();
    push_frames(2);
    gst_element_set_state(queue_.element(), GST_STATE_READY);
    EXPECT_EQ(stat(queue_.element(), "frames"), 2u);
    queue_.play();
    EXPECT_EQ(stat(queue_.element(), "frames"), 0u);
}

TEST(JkvmAdaptiveQueuePipeline, ChangesOfStateAndSettingsUnderLoadDoNoHarm)
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
        // Through all of it at least once.
        while (i % 5 == 0 && stat(queue, "played") < 30)
            g_thread_yield();
        for (const auto state : {GST_STATE_PAUSED, GST_STATE_PLAYING, GST_STATE_READY})
            EXPECT_NE(pipeline.set_state(state), GST_STATE_CHANGE_FAILURE);
    }
    is_over = true;
    meddling.join();
}

TEST(JkvmAdaptiveQueuePipeline, SeeksUnderLoadDoNoHarm)
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
    /// What downstream answers from now on.
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

TEST_P(JkvmAdaptiveQueueFailure, WhatDownstreamReturnsComesToUpstream)
{
    queue_.play();
    let_downstream_return(GetParam());
    push_frames(1);
    queue_.advance_to(1005ms);
    EXPECT_EQ(push_until_refused(), GetParam());
    EXPECT_FALSE(queue_.query(gst_query_new_drain())); // and nobody waits for ever
}

INSTANTIATE_TEST_SUITE_P(Flow, JkvmAdaptiveQueueFailure,
                         ::testing::Values(GST_FLOW_NOT_LINKED, GST_FLOW_EOS,
                                           GST_FLOW_NOT_NEGOTIATED, GST_FLOW_ERROR),
                         [](const auto &info) {
                             std::string name = gst_flow_get_name(info.param);
                             std::erase(name, '-');
                             return name;
                         });

TEST_F(JkvmAdaptiveQueueRecovery, BehindTheEndOfStreamAFailureIsAnError)
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

TEST_F(JkvmAdaptiveQueueRecovery, LinkedAgainItGoesOn)
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
