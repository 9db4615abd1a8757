// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests jkvmadaptivequeue in a pipeline: events, queries, latency, states, failures.
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
    /// Pushes frames at 1 s; the first one is due at 1005 ms.
    void push_frames(int count)
    {
        queue_.set_time(1s);
        for (int i = 0; i < count; ++i)
            EXPECT_EQ(queue_.push(970ms + i * 20ms), GST_FLOW_OK);
    }
    void push_event(GstEvent *event) { gst_harness_push_event(queue_.get(), event); }
    /// Waits until EOS was pushed.
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
    /// Kinds of the outputs from the first buffer on.
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
        nanoseconds minimum;
        GstClockTime maximum;
    };
    /// With a live upstream of 30 ms.
    Latency query_latency()
    {
        auto *query = gst_query_new_latency();
        gst_harness_set_upstream_latency(queue_.get(), 30 * GST_MSECOND);
        EXPECT_TRUE(gst_pad_peer_query(queue_.get()->sinkpad, query));
        Latency latency{};
        GstClockTime minimum = 0;
        gst_query_parse_latency(query, &latency.is_live, &minimum, &latency.maximum);
        gst_query_unref(query);
        latency.minimum = nanoseconds(minimum);
        return latency;
    }
    nanoseconds maximum_transit()
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

// --- latency ---

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

// --- states ---

TEST_F(JkvmAdaptiveQueueStream, PushesBuffersOnlyInPlaying)
{
    EXPECT_EQ(gst_element_set_state(queue_.element(), GST_STATE_PAUSED),
              GST_STATE_CHANGE_NO_PREROLL);
    push_event(make_marker());
    EXPECT_EQ(queue_.push(970ms), GST_FLOW_OK);
    push_event(gst_event_new_eos()); // so that it would not wait for a slot
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
