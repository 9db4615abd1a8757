// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests jkvmaudiosrc with devices that run at another rate than they report, or stall.
#include "capture/capture_test.h"
#include "support/tone.h"

namespace jkvm {
namespace {

class CaptureRate : public CaptureTest {
protected:
    static constexpr double tone = 997; // Hz, at the rate that the device reports
    /// Holds the audio of a stall, even if a busy machine interrupts this process as well.
    static constexpr const char *large_ring = "buffer-time=2000000";

    /// Waits until the stream is this long.
    void follow_for(GstClockTime duration)
    {
        for (const auto begin = end_; end_ < begin + duration;)
            follow();
    }
    /// Pulls without a check of the timestamps until the device's rate is measured.
    void pull_until_rate(double rate)
    {
        const auto begin = g_get_monotonic_time();
        end_ = pull().end();
        while (std::abs(double_stat("measured-rate") / rate - 1) > 0.002) {
            end_ = pull().end();
            ASSERT_LT(g_get_monotonic_time() - begin, 20 * G_TIME_SPAN_SECOND)
                << double_stat("measured-rate");
        }
        // Buffers that were made before wait in the sink.
        const auto now = gst_element_get_current_running_time(src());
        while (end_ < now)
            end_ = pull().end();
    }
    /// The left channel of the next buffers.
    std::vector<double> record(GstClockTime duration)
    {
        std::vector<double> left;
        for (const auto begin = end_; end_ < begin + duration;) {
            const auto samples = follow().samples();
            for (std::size_t i = 0; i < samples.size(); i += 2)
                left.push_back(samples[i]);
        }
        return left;
    }
};

TEST_F(CaptureRate, WrongRateIsReportedOnceAndResampled)
{
    pcm_.send("srcrate 44100");
    open_samples(large_ring);
    const auto message = pipeline_->wait_for_element_message("jkvm-device", "rate-mismatch");
    ASSERT_TRUE(message);
    const auto *fields = gst_message_get_structure(message.get());
    double measured = 0;
    guint reported = 0;
    ASSERT_TRUE(gst_structure_get(fields, "measured-rate", G_TYPE_DOUBLE, &measured,
                                  "reported-rate", G_TYPE_UINT, &reported, nullptr));
    EXPECT_NEAR(measured, 44100, 0.002 * 44100);
    EXPECT_EQ(reported, 48000u);
    pull_until_rate(44100);
    const auto resyncs = stat("resyncs");
    const auto left = record(4 * GST_SECOND);
    const double pitch = tone * 44100 / 48000;
    EXPECT_NEAR(testing::measure_frequency(left, 48000, pitch), pitch, 0.1);
    // The resampler's own error; a gap of one sample is a step of thousands.
    EXPECT_EQ(testing::count_breaks(left, 48000, pitch, 200), 0u);
    EXPECT_EQ(stat("resyncs"), resyncs);
    EXPECT_EQ(stat("overruns"), 0u);
    EXPECT_EQ(text_stat("device-state"), "run");
    EXPECT_NEAR(double_stat("measured-rate"), 44100, 44100 * 500e-6);
}

TEST_F(CaptureRate, RateIsFollowedAndTheCorrectionUndone)
{
    open_samples(large_ring);
    for (int i = 0; i < 30; ++i)
        follow();
    EXPECT_EQ(double_stat("measured-rate"), 48000);
    pcm_.send("srcrate 52224"); // 8.8 % fast
    pull_until_rate(52224);
    follow_for(GST_SECOND);
    pcm_.send("srcrate 47000");
    pull_until_rate(47000);
    follow_for(GST_SECOND);
    pcm_.send("srcrate 0");
    pull_until_rate(48000);
    follow_for(GST_SECOND);
    EXPECT_EQ(double_stat("measured-rate"), 48000);
    EXPECT_EQ(stat("overruns"), 0u);
    EXPECT_EQ(text_stat("device-state"), "run");
}

TEST_F(CaptureRate, TimestampsOfAFastDeviceNeitherRunBackwardsNorLead)
{
    pcm_.send("srcrate 52224");
    open_samples(large_ring);
    GstClockTime last_end = 0;
    for (int i = 0; i < 300; ++i) {
        const auto pulled = pull();
        EXPECT_GE(pulled.time(), last_end);
        last_end = pulled.end();
        // The frame has just been captured.
        EXPECT_LE(pulled.time(), gst_element_get_current_running_time(src()));
    }
}

TEST_F(CaptureRate, StallThatTheRingHoldsLosesNothing)
{
    open_samples(large_ring);
    for (int i = 0; i < 20; ++i)
        follow();
    const auto pad = GstRef<GstPad>::adopt(gst_element_get_static_pad(src(), "src"));
    const auto block = +[](GstPad *, GstPadProbeInfo *, gpointer) {
        g_usleep(150'000);
        return GST_PAD_PROBE_REMOVE;
    };
    gst_pad_add_probe(pad.get(), GST_PAD_PROBE_TYPE_BUFFER, block, nullptr, nullptr);
    const auto left = record(500 * GST_MSECOND);
    EXPECT_EQ(testing::count_breaks(left, 48000, tone), 0u);
    EXPECT_EQ(stat("overruns"), 0u);
    EXPECT_EQ(stat("lost-time"), 0u);
}

TEST_F(CaptureRate, DeviceThatPausesForAMomentStaysOpen)
{
    open_samples(large_ring);
    for (int i = 0; i < 60; ++i)
        follow();
    for (int i = 0; i < 3; ++i) {
        pcm_.send("freeze 120");
        ASSERT_TRUE(
            pcm_.wait_for_log("thaw", testing::wait_timeout, static_cast<std::size_t>(i) + 1));
        for (int n = 0; n < 30; ++n)
            pull();
    }
    EXPECT_EQ(pcm_.count_log("closed"), 0u);
    EXPECT_EQ(stat("recoveries"), 0u);
    EXPECT_EQ(stat("silent-frames"), 0u);
}

} // namespace
} // namespace jkvm
