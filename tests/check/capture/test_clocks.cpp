// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests jkvmaudiosrc with drifting devices, overruns, clocks and scheduling.
#include "capture/capture_test.h"

#include <gst/audio/audio.h>

#include <sys/resource.h>

#include <algorithm>
#include <vector>

namespace jkvm {
namespace {

using CaptureClock = CaptureTest;

TEST_F(CaptureClock, FollowsATenthOfAPercentOfDriftWithoutAGap)
{
    for (const char *ppm : {"ppm 1000", "ppm -1000"}) {
        pcm_.send(ppm);
        open_samples("buffer-time=1000000");
        end_ = GST_CLOCK_TIME_NONE;
        GstClockTime shortest = G_MAXUINT64;
        GstClockTime longest = 0;
        // 1 ms is off after a second; then frames are stretched.
        for (int i = 0; i < 150; ++i) {
            const auto pulled = follow();
            shortest = std::min(shortest, pulled.duration());
            longest = std::max(longest, pulled.duration());
        }
        const bool is_fast = ppm[4] == '1';
        EXPECT_EQ(shortest < 20 * GST_MSECOND, is_fast) << ppm;
        EXPECT_EQ(longest > 20 * GST_MSECOND, !is_fast) << ppm;
        EXPECT_GE(shortest, 20 * GST_MSECOND - 40 * GST_USECOND);
        EXPECT_LE(longest, 20 * GST_MSECOND + 40 * GST_USECOND);
        EXPECT_NEAR(double_stat("drift-ppm"), is_fast ? 1000 : -1000, 300);
        EXPECT_EQ(stat("resyncs"), 0u);
        pipeline_.reset();
    }
}

TEST_F(CaptureClock, CountsSamplesOnlyWithoutSlaving)
{
    pcm_.send("ppm 1000");
    open_samples("buffer-time=1000000 slave-method=none");
    for (int i = 0; i < 100; ++i)
        EXPECT_EQ(follow().duration(), 20 * GST_MSECOND);
}

TEST_F(CaptureClock, OfTheDeviceIsUsedByThePipelineOnRequest)
{
    make("provide-clock=true");
    const auto clock = GstRef<GstClock>::adopt(gst_element_provide_clock(src()));
    ASSERT_TRUE(clock);
    pipeline_->play();
    for (int i = 0; i < 20; ++i)
        follow();
    const auto used = GstRef<GstClock>::adopt(gst_element_get_clock(pipeline_->get()));
    EXPECT_TRUE(GST_IS_AUDIO_CLOCK(used.get()));
    // It outlives the element.
    pipeline_.reset();
    EXPECT_GT(gst_clock_get_time(used.get()), 0u);
}

TEST_F(CaptureClock, IsNotOfferedByDefault)
{
    make({});
    EXPECT_EQ(gst_element_provide_clock(src()), nullptr);
    pipeline_->play();
    follow();
    const auto used = GstRef<GstClock>::adopt(gst_element_get_clock(pipeline_->get()));
    EXPECT_FALSE(GST_IS_AUDIO_CLOCK(used.get()));
}

TEST_F(CaptureClock, ThirdOverrunWithinAMinuteEnlargesTheRing)
{
    // The largest ring that grows; an interruption of this process may cause an overrun as well.
    open_samples("buffer-time=480000");
    follow();
    while (stat("overruns") < 3) {
        const auto overruns = stat("overruns");
        pcm_.send("xrun");
        while (stat("overruns") == overruns)
            pull();
        pull();
    }
    const auto message = pipeline_->wait_for_element_message("jkvm-xrun", "ring-grown");
    guint64 size = 0;
    ASSERT_TRUE(
        gst_structure_get_uint64(gst_message_get_structure(message.get()), "buffer-time", &size));
    EXPECT_EQ(size, 500 * GST_MSECOND);
    while (stat("device-buffer") != size)
        pull();
    while (pull().is_silence()) {
    }
    EXPECT_EQ(text_stat("device-state"), "run");
    EXPECT_EQ(recoveries_from("io-error"), 0u);
}

TEST_F(CaptureClock, ConsumerSlowerThanRealTimeGetsAudioWithABoundedDelay)
{
    struct Account {
        GstElement *src;
        int buffers = 0;
        // Of the buffers from the 150th.
        int silent = 0;
        std::vector<GstClockTimeDiff> delays;
    } account{};
    make("buffer-time=40000", true);
    account.src = src();
    const auto consume = +[](GstPad *, GstPadProbeInfo *info, gpointer data) {
        auto &seen = *static_cast<Account *>(data);
        auto *buffer = GST_PAD_PROBE_INFO_BUFFER(info);
        g_usleep(25'000); // for 20 ms of audio
        if (++seen.buffers > 150) {
            const Pulled pulled{
                GstRef<GstSample>::adopt(gst_sample_new(buffer, nullptr, nullptr, nullptr))};
            seen.silent += pulled.is_silence() ? 1 : 0;
            seen.delays.push_back(GST_CLOCK_DIFF(GST_BUFFER_PTS(buffer),
                                                 gst_element_get_current_running_time(seen.src)));
        }
        return GST_PAD_PROBE_OK;
    };
    const auto pad = GstRef<GstPad>::adopt(gst_element_get_static_pad(src(), "src"));
    gst_pad_add_probe(pad.get(), GST_PAD_PROBE_TYPE_BUFFER, consume, &account, nullptr);
    pipeline_->play();
    for (int i = 0; i < 250; ++i)
        pull();
    EXPECT_GE(stat("overruns"), 4u);
    const auto ring = static_cast<GstClockTimeDiff>(stat("device-buffer"));
    pipeline_->set_state(GST_STATE_NULL);
    // A machine that is busy with other work delays single buffers and loses some to silence. With
    // an unbounded delay, all buffers would be late and almost all of them silent.
    ASSERT_GE(account.delays.size(), 90u);
    EXPECT_LE(account.silent, static_cast<int>(account.delays.size() / 2));
    const auto median = account.delays.begin() + std::ssize(account.delays) / 2;
    std::ranges::nth_element(account.delays, median);
    // The ring, a frame, its consumption, and a margin.
    EXPECT_LT(*median, ring + 145 * static_cast<GstClockTimeDiff>(GST_MSECOND));
}

TEST_F(CaptureClock, ReportsThePriorityThatWasGranted)
{
    open("priority=7");
    follow();
    // The result depends on the resource limits of the test process.
    rlimit realtime{};
    rlimit nice{};
    getrlimit(RLIMIT_RTPRIO, &realtime);
    getrlimit(RLIMIT_NICE, &nice);
    const auto scheduling = text_stat("scheduling");
    if (realtime.rlim_cur >= 7) {
        EXPECT_EQ(scheduling, "fifo");
    }
    EXPECT_TRUE(scheduling == "fifo" || scheduling == "nice" || scheduling == "normal")
        << scheduling;
    pipeline_->set_state(GST_STATE_NULL);
    EXPECT_EQ(text_stat("scheduling"), "normal");
    open("priority=0");
    end_ = GST_CLOCK_TIME_NONE;
    follow();
    EXPECT_EQ(text_stat("scheduling"), "normal");
}

TEST_F(CaptureClock, PoolHasABufferForEachFrameAndCountsHeldOnes)
{
    open();
    // After an interruption, the frames that wait in the sink may need more buffers than the pool
    // keeps.
    for (int i = 0; i < 1000 && stat("pool-hits") < 20; ++i)
        follow();
    ASSERT_GE(stat("pool-hits"), 20u);
    const auto misses = stat("pool-misses");
    std::vector<Pulled> held;
    while (stat("pool-misses") < misses + 3) {
        held.push_back(pull());
        ASSERT_LT(held.size(), 100u);
    }
    EXPECT_GE(stat("pool-outstanding"), held.size());
    EXPECT_EQ(stat("pool-allocations"), 4 + stat("pool-misses"));
    EXPECT_EQ(stat("pool-size"), stat("pool-allocations"));
    EXPECT_LT(double_stat("pool-hit-percent"), 100);
}

TEST_F(CaptureClock, StreamerFieldsAreConsistent)
{
    open("buffer-time=2000000");
    for (int i = 0; i < 10; ++i)
        follow();
    const auto stats = testing::stats_of(src());
    guint64 frames = 0;
    guint64 processed = 0;
    guint64 dropped = 1;
    guint64 time = 0;
    guint ring = 0;
    gboolean connected = FALSE;
    ASSERT_TRUE(gst_structure_get(stats.get(), "frames", G_TYPE_UINT64, &frames, "processed_frames",
                                  G_TYPE_UINT64, &processed, "dropped_frames", G_TYPE_UINT64,
                                  &dropped, "avg_processing_time_ns", G_TYPE_UINT64, &time,
                                  "channel_buffer_size", G_TYPE_UINT, &ring, "connected",
                                  G_TYPE_BOOLEAN, &connected, nullptr));
    EXPECT_EQ(processed, frames);
    EXPECT_EQ(dropped, 0u);
    EXPECT_GT(time, 0u);
    EXPECT_LT(time, GST_SECOND);
    EXPECT_EQ(ring, 100u);
    EXPECT_TRUE(connected);
    EXPECT_GT(stat("encode-time-p50"), 0u);
    EXPECT_GE(stat("encode-time-p99"), stat("encode-time-p50"));
}

} // namespace
} // namespace jkvm
