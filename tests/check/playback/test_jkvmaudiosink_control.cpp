// SPDX-License-Identifier: LGPL-2.1-or-later
// jkvmaudiosink: devices that change, clocks, stretched timestamps, volume and latency.
#include "playback/audio_sink_test.h"

#include "common/gst_ref.h"

#include <gst/audio/audio.h>
#include <gst/audio/streamvolume.h>
#include <gst/controller/controller.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace jkvm {
namespace {

using namespace std::chrono_literals;
using testing::PlayedAudio;

class AudioSinkControl : public AudioSinkTest {
protected:
    /// The answer to the query; nothing: it was not answered.
    std::optional<bool> follows_timestamps()
    {
        auto *query = gst_query_new_custom(GST_QUERY_CUSTOM,
                                           gst_structure_new_empty("jkvm-follows-timestamps"));
        std::optional<bool> follows;
        gboolean answer = FALSE;
        if (gst_pad_peer_query(GST_BASE_SRC_PAD(source()), query) &&
            gst_structure_get_boolean(gst_query_get_structure(query), "follows", &answer))
            follows = answer != FALSE;
        gst_query_unref(query);
        return follows;
    }
    double double_stat(const char *name)
    {
        GstStructure *stats = nullptr;
        g_object_get(sink(), "stats", &stats, nullptr);
        gdouble value = NAN;
        gst_structure_get_double(stats, name, &value);
        gst_structure_free(stats);
        return value;
    }

    /// Pushes packets that carry their capture time.
    void play_with_capture_times(nanoseconds time)
    {
        const auto unix_time =
            GstRef<GstCaps>::adopt(gst_caps_new_empty_simple("timestamp/x-unix"));
        for (const auto end = pushed_ + time; pushed_ < end; pushed_ += packet) {
            const auto frames =
                testing::triangle(static_cast<std::size_t>(pushed_ / 1ms * 48), 960);
            auto *buffer = gst_buffer_new_memdup(frames.data(), frames.size() * 2);
            GST_BUFFER_PTS(buffer) = static_cast<GstClockTime>(pushed_.count());
            const auto captured = wall_now() + (base() + pushed_ - now());
            gst_buffer_add_reference_timestamp_meta(
                buffer, unix_time.get(),
                static_cast<GstClockTime>(captured.time_since_epoch().count()),
                GST_CLOCK_TIME_NONE);
            ASSERT_EQ(gst_app_src_push_buffer(source(), buffer), GST_FLOW_OK);
            pause_.sleep_until(MonotonicTime(base() + pushed_));
        }
    }

    /// Pushes the triangle so that each sample is right for its time, in packets that last
    /// `duration` instead of 20 ms.
    void play_stretched(nanoseconds time, nanoseconds duration, bool stamps_duration)
    {
        for (const auto end = pushed_ + time; pushed_ < end; pushed_ += duration) {
            std::vector<std::int16_t> frames(960);
            for (std::size_t i = 0; i < frames.size(); ++i) {
                const double at =
                    static_cast<double>(pushed_.count()) +
                    static_cast<double>(duration.count()) * static_cast<double>(i) / 960;
                frames[i] =
                    static_cast<std::int16_t>(std::lround(testing::triangle_at(at * 48e-6)));
            }
            auto *buffer = gst_buffer_new_memdup(frames.data(), frames.size() * 2);
            GST_BUFFER_PTS(buffer) = static_cast<GstClockTime>(pushed_.count());
            GST_BUFFER_DURATION(buffer) = static_cast<GstClockTime>(
                stamps_duration ? duration.count() : nanoseconds(packet).count());
            ASSERT_EQ(gst_app_src_push_buffer(source(), buffer), GST_FLOW_OK);
            pause_.sleep_until(MonotonicTime(base() + pushed_));
        }
    }
};

TEST_F(AudioSinkControl, AnswersWhetherItFollowsTimestamps)
{
    start();
    EXPECT_EQ(follows_timestamps(), true);
    pipeline_.reset();
    start("slave-method=none");
    EXPECT_EQ(follows_timestamps(), false);
}

TEST_F(AudioSinkControl, FollowsTimestampsStretchedByHalfAPercent)
{
    start();
    play_stretched(2s, 20ms, true);
    play_stretched(3s, 20100us, true);
    play_stretched(3s, 19900us, true);
    const auto time = due();
    const auto played = stop();
    const auto errors = measure(played, time, time + 1s);
    EXPECT_GE(errors.frames, 50000u);
    EXPECT_LE(errors.central_span(), longest_span);
    EXPECT_LE(testing::stat(sink(), "realignments"), expected_realignments());
    EXPECT_LE(double_stat("playout-error-p95-us"), 500);
}

TEST_F(AudioSinkControl, FollowsStretchedTimestampsWithNominalDurations)
{
    start();
    play_stretched(1s, 20ms, false);
    play_stretched(3s, 20100us, false);
    const auto time = due();
    const auto played = stop();
    const auto errors = measure(played, time, time + 500ms);
    EXPECT_GE(errors.frames, 30000u);
    // It takes three packets to recognise a change.
    EXPECT_LE(errors.central_span(), longest_span + 300us);
    EXPECT_LE(testing::stat(sink(), "realignments"), expected_realignments());
}

TEST_F(AudioSinkControl, PlaysSamplesUnchangedWithoutSlaving)
{
    pcm_.set_at_open("ppm 1000");
    start("slave-method=none");
    play(1s);
    const auto played = stop();
    EXPECT_EQ(double_stat("ratio-ppm"), 0);
    // A resampled triangle would have steps of 0 and 2. A busy machine may cause an underrun.
    const auto samples = played.channel();
    std::size_t longest = 0;
    std::size_t run = 0;
    for (std::size_t i = 1; i < samples.size(); ++i) {
        run = std::abs(samples[i] - samples[i - 1]) == 1 ? run + 1 : 0;
        longest = std::max(longest, run);
    }
    EXPECT_GE(longest, 4000u);
}

TEST_F(AudioSinkControl, PlaysTheNewestAudioOnANewDevice)
{
    testing::TestPcm other;
    other.record_playback();
    start();
    play(600ms);
    g_object_set(sink(), "device", other.device().c_str(), nullptr);
    const auto switched = now();
    play(2s);
    const auto time = due();
    const auto first = stop();
    EXPECT_EQ(first.first_above(1000, switched + 100ms), first.frames());
    const auto errors = measure(PlayedAudio(other), time, switched);
    EXPECT_GE(errors.frames, 4000u);
    EXPECT_LE(errors.central_span(), 2 * longest_span);
}

TEST_F(AudioSinkControl, ReportsANewDeviceThatIsMissing)
{
    testing::TestPcm other;
    other.set_open_errno("ENOENT");
    start();
    play(400ms);
    wait_for_device("running");
    g_object_set(sink(), "device", other.device().c_str(), nullptr);
    play(1200ms); // a message is posted once per second
    wait_for_device("missing");
    g_object_set(sink(), "device", pcm_.device().c_str(), nullptr);
    play(800ms);
    wait_for_device("running");
    stop();
}

TEST_F(AudioSinkControl, KeepsADeviceThatStaysFirst)
{
    testing::TestPcm other;
    start();
    play(400ms);
    g_object_set(sink(), "device", (pcm_.device() + ";" + other.device()).c_str(), nullptr);
    play(400ms);
    stop();
    EXPECT_EQ(pcm_.count_log("opened playback"), 1u);
    EXPECT_EQ(other.count_log("opened"), 0u);
}

TEST_F(AudioSinkControl, ProvidesNoClockByDefault)
{
    make({});
    EXPECT_EQ(gst_element_provide_clock(sink()), nullptr);
}

TEST_F(AudioSinkControl, ProvidesAClockThatNeverJumps)
{
    pcm_.set_at_open("ppm 1000");
    make("provide-clock=true");
    const auto clock = GstRef<GstClock>::adopt(gst_element_provide_clock(sink()));
    ASSERT_TRUE(clock && GST_IS_AUDIO_CLOCK(clock.get()));
    // Not used by the pipeline, so that it can be compared with the pipeline's clock.
    const auto system = GstRef<GstClock>::adopt(gst_system_clock_obtain());
    gst_pipeline_use_clock(GST_PIPELINE(pipeline_->get()), system.get());
    pipeline_->play();
    // The times of the provided clock and of CLOCK_MONOTONIC at the same moment.
    const auto read_clocks = [&clock] {
        return read_together([&clock] { return nanoseconds(gst_clock_get_time(clock.get())); },
                             &monotonic_now);
    };
    auto last = read_clocks();
    /// Returns the rate of the provided clock in that time.
    const auto play_and_check = [&](nanoseconds time) {
        const auto begin = last;
        for (nanoseconds played{0}; played < time; played += packet) {
            play(packet);
            const auto current = read_clocks();
            EXPECT_GE(current.first, last.first);
            last = current;
        }
        const auto rate = static_cast<double>((last.first - begin.first).count()) /
                          static_cast<double>((last.second - begin.second).count());
        EXPECT_NEAR(rate, 1, 3e-3);
        return rate;
    };
    // It takes on the device's rate when the device has played for 5 s without an underrun.
    double rate = 1;
    for (int i = 0; i < 15 && std::abs(rate - 1.001) > 5e-4; ++i)
        rate = play_and_check(2s);
    const bool was_disturbed = testing::stat(sink(), "underruns") >= 4; // in half a minute
    EXPECT_TRUE(was_disturbed || std::abs(rate - 1.001) < 5e-4) << rate;
    pcm_.send("unplug");
    play_and_check(600ms);
    pcm_.clear_open_errno();
    play_and_check(600ms);
    pipeline_.reset();
    EXPECT_GE(read_clocks().first, last.first); // it outlives the element
}

TEST_F(AudioSinkControl, PlaysOnTimeWhenThePipelineUsesItsClock)
{
    pcm_.set_at_open("ppm 800");
    make("provide-clock=true");
    pipeline_->play();
    ASSERT_TRUE(GST_IS_AUDIO_CLOCK(GST_ELEMENT_CLOCK(pipeline_->get())));
    std::vector<double> errors; // of the last second (us)
    for (; pushed_ < 9s; pushed_ += packet) {
        push_packet(pushed_);
        if (pushed_ >= 8s)
            errors.push_back(std::abs(double_stat("playout-error-us")));
        while (gst_element_get_current_running_time(pipeline_->get()) <
               static_cast<GstClockTime>(pushed_.count()))
            pause_.sleep_until(monotonic_now() + 5ms);
    }
    stop();
    EXPECT_LE(testing::stat(sink(), "realignments"), 2 + expected_realignments());
    // The clock takes on the device's rate after 5 s, which is a step.
    std::ranges::sort(errors);
    EXPECT_LE(errors[errors.size() / 2], 4000);
}

TEST_F(AudioSinkControl, FollowsAVolumeThatIsControlledByTheStream)
{
    make({});
    auto *source = gst_interpolation_control_source_new();
    g_object_set(source, "mode", GST_INTERPOLATION_MODE_LINEAR, nullptr);
    auto *values = GST_TIMED_VALUE_CONTROL_SOURCE(source);
    gst_timed_value_control_source_set(values, 0, 1);
    gst_timed_value_control_source_set(values, GST_SECOND, 0);
    gst_object_add_control_binding(GST_OBJECT(sink()), gst_direct_control_binding_new_absolute(
                                                           GST_OBJECT(sink()), "volume", source));
    gst_object_unref(source);
    pipeline_->play();
    play(1500ms);
    const auto time = due();
    const auto played = stop();
    const auto samples = played.channel();
    // A busy machine may play silence instead, but nothing else.
    int right = 0;
    int wrong = 0;
    int loud = 0; // after the end of the fade-out
    for (std::size_t i = 0; i < samples.size(); ++i) {
        const auto at = played.time_of(static_cast<double>(i)) - time;
        const double seconds = static_cast<double>(at.count()) * 1e-9;
        const double expected = (1 - seconds) * testing::triangle_at(seconds * 48000);
        if (at > 200ms && at < 900ms && samples[i] != 0)
            ++(std::abs(samples[i] - expected) < 600 ? right : wrong);
        loud += at > 1100ms && at < 1450ms && samples[i] != 0 ? 1 : 0;
    }
    EXPECT_GE(right, 2000);
    EXPECT_LE(wrong, right / 10);
    EXPECT_LE(loud, 960) << "more than the packet over which the volume is ramped";
}

TEST_F(AudioSinkControl, HasAStreamVolume)
{
    make({});
    ASSERT_TRUE(GST_IS_STREAM_VOLUME(sink()));
    gst_stream_volume_set_volume(GST_STREAM_VOLUME(sink()), GST_STREAM_VOLUME_FORMAT_CUBIC, 0.5);
    gdouble volume = 0;
    g_object_get(sink(), "volume", &volume, nullptr);
    EXPECT_NEAR(volume, 0.125, 1e-9);
}

TEST_F(AudioSinkControl, EndsTheStreamIfToldSo)
{
    pcm_.set_open_errno("EBUSY");
    start("on-device-lost=eos");
    wait_for_device("busy");
    push_packet(0ns);
    pipeline_->wait_for_eos();
}

TEST_F(AudioSinkControl, MeasuresTheLatencyFromTheCaptureTime)
{
    start();
    play_with_capture_times(2s);
    const auto expected = gst_base_sink_get_latency(GST_BASE_SINK(sink()));
    stop();
    EXPECT_GE(testing::stat(sink(), "latency-samples"), 20u);
    EXPECT_NEAR(static_cast<double>(testing::stat(sink(), "latency-p50")),
                static_cast<double>(expected), 5e6);
}

TEST_F(AudioSinkControl, PostsAMessageWhenTheAverageLatencyCrossesAThreshold)
{
    start("latency-warning=50");
    play_with_capture_times(2s);
    const auto message = pipeline_->wait_for_element_message("jkvm-latency", "high");
    guint64 average = 0;
    gst_structure_get_uint64(gst_message_get_structure(message.get()), "average", &average);
    EXPECT_GT(average, 50 * GST_MSECOND);
}

TEST_F(AudioSinkControl, CountsPacketsThatAFlushDiscards)
{
    start("sync=false");
    // The queue is still full at the flush, even if a busy machine delays it.
    for (; pushed_ < 60s; pushed_ += packet)
        push_packet(pushed_);
    while (testing::stat(sink(), "frames") == 0)
        pause_.sleep_until(monotonic_now() + 10ms);
    auto *pad = gst_element_get_static_pad(sink(), "sink");
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_pad_send_event(pad, gst_event_new_flush_start());
    GST_PAD_STREAM_LOCK(pad); // no buffer may arrive before the segment
    gst_pad_send_event(pad, gst_event_new_flush_stop(TRUE));
    gst_pad_send_event(pad, gst_event_new_segment(&segment));
    GST_PAD_STREAM_UNLOCK(pad);
    gst_object_unref(pad);
    const auto deadline = monotonic_now() + 20s;
    while (testing::stat(sink(), "dropped-flush") == 0 && monotonic_now() < deadline)
        pause_.sleep_until(monotonic_now() + 10ms);
    EXPECT_GT(testing::stat(sink(), "dropped-flush"), 0u);
}

} // namespace
} // namespace jkvm
