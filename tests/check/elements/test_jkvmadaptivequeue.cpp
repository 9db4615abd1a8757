// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests when jkvmadaptivequeue pushes, conceals and drops buffers, and the timestamps of its
// output.
#include "check/elements/adaptive_queue_harness.h"

#include "core/playout/playout.h"

namespace jkvm {
namespace {

using namespace std::chrono_literals;
using testing::buffer_at;
using testing::frame;
using testing::Output;
using testing::silk_packet;
using testing::stat;

constexpr auto start_delay = 5ms; // of tail-cost
// Of concealment after a CELT packet of 20 ms.
constexpr auto first_step = 20ms;
constexpr auto next_step = 10ms;

Output gap_at(nanoseconds time, nanoseconds duration)
{
    return {.kind = Output::Kind::gap, .time = time, .duration = duration};
}

/// Frames that arrive 30 ms after their capture, the first one at 1 s.
class JkvmAdaptiveQueue : public ::testing::Test {
protected:
    /// Plays the first frame. Returns the end of that frame.
    nanoseconds play_first(const std::vector<std::uint8_t> &packet = testing::celt_packet)
    {
        queue_.play();
        queue_.set_time(1s);
        queue_.push(970ms, packet);
        queue_.advance_to(1s + start_delay);
        EXPECT_EQ(queue_.pull(), buffer_at(1s + start_delay));
        return 1s + start_delay + frame;
    }
    /// No frame arrives until live concealment ends, 100 ms after `end`.
    void run_dry(nanoseconds end)
    {
        for (auto time = end; time < end + 100ms;) {
            const auto step = time == end ? first_step : next_step;
            queue_.advance_to(time);
            EXPECT_EQ(queue_.pull(), gap_at(time, step));
            time += step;
        }
        queue_.advance_to(end + 100ms);
        queue_.settle();
    }
    [[nodiscard]] guint64 counter(const char *name) { return stat(queue_.element(), name); }

    testing::AdaptiveQueueHarness queue_;
};

TEST_F(JkvmAdaptiveQueue, FirstFrameWaitsForTheStartDelay)
{
    queue_.play();
    queue_.push_at(1s, 970ms);
    queue_.await_wait(1005ms);
    EXPECT_TRUE(queue_.is_nothing_out());
    queue_.advance_to(1005ms);
    const auto first = queue_.pull();
    EXPECT_EQ(first, buffer_at(1005ms));
    EXPECT_TRUE(first.is_discont);
}

TEST_F(JkvmAdaptiveQueue, PushesUnevenArrivalsEvenly)
{
    auto due = play_first();
    // All within the start delay.
    const std::array<nanoseconds, 6> jitter{0ms, 3ms, 1ms, 4ms, 2ms, 0ms};
    auto captured = 990ms;
    for (const auto late : jitter) {
        queue_.push_at(captured + 30ms + late, captured);
        queue_.advance_to(due);
        const auto output = queue_.pull();
        EXPECT_EQ(output, buffer_at(due));
        EXPECT_FALSE(output.is_discont);
        due += frame;
        captured += frame;
    }
    EXPECT_EQ(counter("underruns"), 0u);
    EXPECT_EQ(counter("played"), 7u);
}

TEST_F(JkvmAdaptiveQueue, ConcealsALateFrameInStepsAndGrows)
{
    for (const auto &packet : {testing::celt_packet, silk_packet}) {
        testing::AdaptiveQueueHarness queue;
        queue.play();
        queue.set_time(1s);
        queue.push(970ms, packet);
        queue.advance_to(1005ms);
        EXPECT_EQ(queue.pull(), buffer_at(1005ms));
        nanoseconds end = 1025ms;
        for (const auto step : {first_step, next_step, next_step}) {
            queue.advance_to(end);
            EXPECT_EQ(queue.pull(), gap_at(end, step));
            end += step;
        }
        queue.push_at(end - 1ms, 990ms);
        queue.advance_to(end);
        const auto late = queue.pull();
        EXPECT_EQ(late, buffer_at(end));
        EXPECT_FALSE(late.is_discont) << "no audio was skipped";
        EXPECT_EQ(stat(queue.element(), "underruns"), 1u);
        EXPECT_EQ(stat(queue.element(), "late"), 1u);
        EXPECT_EQ(stat(queue.element(), "concealed"), 40 * GST_MSECOND);
    }
}

TEST_F(JkvmAdaptiveQueue, ConcealsTheRestOfALongUnderrunAsOneGap)
{
    const auto end = play_first();
    run_dry(end);
    queue_.set_time(2s);
    queue_.push(990ms);
    const auto rest = queue_.pull();
    EXPECT_EQ(rest, gap_at(end + 100ms, 2s - end - 100ms));
    EXPECT_EQ(queue_.pull(), buffer_at(2s));
    EXPECT_EQ(counter("concealed"), static_cast<guint64>(nanoseconds(2s - end).count()));
}

TEST_F(JkvmAdaptiveQueue, FillsAPauseOfTheSenderWithOneGap)
{
    const auto end = play_first();
    queue_.push_at(1021ms, 1s + 50ms); // three frames were never sent
    queue_.advance_to(end);
    EXPECT_EQ(queue_.pull(), gap_at(end, 60ms));
    queue_.advance_to(end + 60ms);
    EXPECT_EQ(queue_.pull(), buffer_at(end + 60ms));
    EXPECT_EQ(counter("underruns"), 0u);
    EXPECT_EQ(counter("paused"), 60 * GST_MSECOND);
}

TEST_F(JkvmAdaptiveQueue, FillsAnAnnouncedGapOnce)
{
    const auto end = play_first();
    queue_.set_time(1021ms);
    queue_.push_gap(990ms, 60ms);
    queue_.push(1050ms);
    queue_.advance_to(end);
    EXPECT_EQ(queue_.pull(), gap_at(end, 60ms));
    queue_.advance_to(end + 60ms);
    EXPECT_EQ(queue_.pull(), buffer_at(end + 60ms));
}

TEST_F(JkvmAdaptiveQueue, ForwardsAnnouncedGapsContiguously)
{
    const auto end = play_first();
    run_dry(end);
    auto filled = end + 100ms;
    auto announced = 1100ms; // end of the announced gaps
    for (int i = 0; i < 3; ++i, announced += 100ms) {
        queue_.set_time(announced + 40ms);
        queue_.push_gap(announced - 100ms, 100ms);
        // Up to the time from which a frame could still be played.
        const auto until = announced + 35ms;
        EXPECT_EQ(queue_.pull(), gap_at(filled, until - filled));
        filled = until;
    }
    queue_.push_at(1450ms, 1420ms);
    EXPECT_EQ(queue_.pull(), gap_at(filled, 1455ms - filled));
    queue_.advance_to(1455ms);
    EXPECT_EQ(queue_.pull(), buffer_at(1455ms));
    EXPECT_EQ(counter("underruns"), 0u);
}

TEST_F(JkvmAdaptiveQueue, ForwardsAGapBeforeTheFirstFrame)
{
    queue_.play();
    queue_.set_time(1s);
    queue_.push_gap(0ms, 960ms);
    EXPECT_EQ(queue_.pull(), gap_at(0ms, 960ms));
    queue_.push(970ms);
    queue_.advance_to(1005ms);
    EXPECT_EQ(queue_.pull(), gap_at(960ms, 45ms));
    EXPECT_EQ(queue_.pull(), buffer_at(1005ms));
}

TEST_F(JkvmAdaptiveQueue, DoesNotFillAVeryLongGap)
{
    const auto end = play_first();
    run_dry(end);
    queue_.push_at(3600s, 3600s - 30ms);
    queue_.advance_to(3600s + start_delay);
    const auto after = queue_.pull();
    EXPECT_EQ(after, buffer_at(3600s + start_delay));
    EXPECT_TRUE(after.is_discont);
}

TEST_F(JkvmAdaptiveQueue, FrameWithoutTimestampFollowsThePreviousOne)
{
    const auto end = play_first();
    queue_.set_time(1021ms);
    auto *buffer = testing::AdaptiveQueueHarness::make_frame(0ms);
    GST_BUFFER_PTS(buffer) = GST_CLOCK_TIME_NONE;
    GST_BUFFER_DURATION(buffer) = GST_CLOCK_TIME_NONE; // known from the packet
    gst_harness_push(queue_.get(), buffer);
    queue_.advance_to(end);
    EXPECT_EQ(queue_.pull(), buffer_at(end));
    queue_.advance_to(end + frame);
    EXPECT_EQ(queue_.pull(), gap_at(end + frame, first_step));
}

TEST_F(JkvmAdaptiveQueue, IgnoresImplausibleTimes)
{
    auto end = play_first();
    for (const auto time : {GST_CLOCK_TIME_NONE - 1, GstClockTime{G_MAXINT64} + 1,
                            GstClockTime{G_MAXINT64}, GstClockTime{G_MAXINT64} / 2}) {
        queue_.set_time(end - 4ms);
        auto *buffer = testing::AdaptiveQueueHarness::make_frame(0ms);
        GST_BUFFER_PTS(buffer) = time;
        GST_BUFFER_DURATION(buffer) = time;
        EXPECT_EQ(gst_harness_push(queue_.get(), buffer), GST_FLOW_OK);
        queue_.advance_to(end);
        EXPECT_EQ(queue_.pull(), buffer_at(end)) << time;
        end += frame;
    }
    queue_.push_gap(nanoseconds(G_MAXINT64), nanoseconds(G_MAXINT64));
    queue_.advance_to(end);
    EXPECT_EQ(queue_.pull(), gap_at(end, first_step));
}

TEST_F(JkvmAdaptiveQueue, NewEpochStartsANewStream)
{
    const auto end = play_first();
    run_dry(end);
    // Captured after the first frame but 3 s ago: not late, but on another clock.
    auto *buffer = testing::AdaptiveQueueHarness::make_frame(1s);
    GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DISCONT);
    queue_.set_time(4s);
    gst_harness_push(queue_.get(), buffer);
    EXPECT_EQ(queue_.pull(), gap_at(end + 100ms, 4s + start_delay - end - 100ms));
    queue_.advance_to(4s + start_delay);
    EXPECT_EQ(queue_.pull(), buffer_at(4s + start_delay));
    EXPECT_EQ(counter("underruns"), 0u);
    EXPECT_EQ(counter("current-delay"), 5 * GST_MSECOND);
}

TEST_F(JkvmAdaptiveQueue, FixedPolicyKeepsItsDelay)
{
    gst_util_set_object_arg(G_OBJECT(queue_.element()), "policy", "fixed");
    queue_.set("delay", 100u);
    queue_.play();
    queue_.push_at(1s, 970ms);
    queue_.advance_to(1100ms);
    EXPECT_EQ(queue_.pull(), buffer_at(1100ms));
    EXPECT_EQ(counter("current-delay"), 100 * GST_MSECOND);
}

TEST_F(JkvmAdaptiveQueue, PolicyAndItsSettingsCanChangeWhilePlaying)
{
    auto due = play_first();
    gst_util_set_object_arg(G_OBJECT(queue_.element()), "policy", "fixed");
    queue_.set("delay", 25u);
    queue_.push_at(1020ms, 990ms);
    queue_.advance_to(due);
    EXPECT_EQ(queue_.pull(), gap_at(due, frame)); // a whole frame closer to the target
    due += frame;
    queue_.advance_to(due);
    EXPECT_EQ(queue_.pull(), buffer_at(due));
    EXPECT_EQ(counter("inserted"), 20 * GST_MSECOND);
    EXPECT_EQ(counter("current-delay"), 25 * GST_MSECOND);
}

TEST_F(JkvmAdaptiveQueue, DroppedFrameLeavesNoGap)
{
    gst_util_set_object_arg(G_OBJECT(queue_.element()), "policy", "fixed");
    queue_.set("delay", 60u);
    queue_.play();
    for (int i = 0; i < 3; ++i)
        queue_.push_at(1s + i * frame, 970ms + i * frame);
    queue_.advance_to(1060ms);
    EXPECT_EQ(queue_.pull().media, 970ms);
    queue_.set("delay", 40u);
    queue_.advance_to(1080ms);
    const auto output = queue_.pull();
    EXPECT_EQ(output, buffer_at(1080ms));
    EXPECT_EQ(output.media, 1010ms);
    EXPECT_TRUE(output.is_discont);
    EXPECT_EQ(counter("dropped-shrink"), 1u);
    EXPECT_EQ(counter("dropped"), 1u);
}

TEST_F(JkvmAdaptiveQueue, WeightedPolicyStartsWithItsInitialSize)
{
    gst_util_set_object_arg(G_OBJECT(queue_.element()), "policy", "weighted");
    queue_.set("weighted-start-frames", 7.0);
    queue_.play();
    queue_.push_at(1s, 970ms);
    queue_.advance_to(1140ms);
    EXPECT_EQ(queue_.pull(), buffer_at(1140ms));
    guint size = 0;
    gst_structure_get_uint(testing::stats_of(queue_.element()).get(), "input_buffer_size", &size);
    EXPECT_EQ(size, 7u);
}

TEST_F(JkvmAdaptiveQueue, SignalsUnderrunsAndTheirEnd)
{
    using Told = std::vector<std::string>;
    Told told;
    const auto underrun = +[](Told *to) { to->emplace_back("underrun"); };
    const auto running = +[](Told *to) { to->emplace_back("running"); };
    g_signal_connect_swapped(queue_.element(), "underrun", G_CALLBACK(underrun), &told);
    g_signal_connect_swapped(queue_.element(), "running", G_CALLBACK(running), &told);
    const auto end = play_first();
    queue_.advance_to(end);
    queue_.await_wait(end + first_step);
    queue_.push_at(end + 3ms, 990ms);
    queue_.advance_to(end + first_step);
    queue_.await_wait(end + first_step + frame);
    EXPECT_EQ(told, (Told{"running", "underrun", "running"}));
}

TEST_F(JkvmAdaptiveQueue, PostsAMessageWhenTheDelayChanges)
{
    const auto bus = GstRef<GstBus>::adopt(gst_bus_new());
    gst_element_set_bus(queue_.element(), bus.get());
    queue_.set("stats-interval", 0);
    const auto end = play_first();
    queue_.advance_to(end);
    queue_.await_wait(end + first_step);
    queue_.push_at(end + 1ms, 990ms);
    queue_.advance_to(end + first_step);
    queue_.await_wait(end + first_step + frame);
    for (const char *reason : {"start", "grow"}) {
        const auto message =
            GstRef<GstMessage>::adopt(gst_bus_pop_filtered(bus.get(), GST_MESSAGE_ELEMENT));
        ASSERT_TRUE(message) << reason;
        const auto *structure = gst_message_get_structure(message.get());
        EXPECT_STREQ(gst_structure_get_name(structure), "jkvm-depth");
        EXPECT_STREQ(gst_structure_get_string(structure, "reason"), reason);
    }
    EXPECT_FALSE(GstRef<GstMessage>::adopt(gst_bus_pop_filtered(bus.get(), GST_MESSAGE_ELEMENT)));
    gst_element_set_bus(queue_.element(), nullptr);
}

TEST_F(JkvmAdaptiveQueue, PostsStatisticsWithAFrame)
{
    const auto bus = GstRef<GstBus>::adopt(gst_bus_new());
    gst_element_set_bus(queue_.element(), bus.get());
    play_first();
    queue_.await_wait(1s + start_delay + frame);
    // After jkvm-depth of the start.
    GstRef<GstMessage> message;
    for (int i = 0; i < 2; ++i)
        message = GstRef<GstMessage>::adopt(gst_bus_pop_filtered(bus.get(), GST_MESSAGE_ELEMENT));
    ASSERT_TRUE(message);
    EXPECT_TRUE(gst_structure_has_name(gst_message_get_structure(message.get()),
                                       "application/x-jkvm-adaptivequeue-stats"));
    gst_element_set_bus(queue_.element(), nullptr);
}

TEST_F(JkvmAdaptiveQueue, LatencyIsTheTimeSpentInTheQueue)
{
    const auto end = play_first();
    queue_.push_at(1010ms, 990ms);
    queue_.advance_to(end);
    queue_.pull();
    queue_.await_wait(end + frame);
    EXPECT_EQ(counter("latency-samples"), 2u);
    EXPECT_EQ(counter("latency-min"), 5 * GST_MSECOND);
    EXPECT_EQ(counter("latency-current"), 15 * GST_MSECOND);
    EXPECT_EQ(counter("latency-sum"), 20 * GST_MSECOND);
}

} // namespace
} // namespace jkvm
