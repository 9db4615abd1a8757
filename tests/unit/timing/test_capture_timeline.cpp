// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/timing/capture_timeline.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

constexpr auto frame = 20ms;

TEST(CaptureTimeline, FrameLastsAsLongAsItsSamplesWhileClocksAgree)
{
    CaptureTimeline timeline;
    std::minstd_rand random(1);
    std::uniform_int_distribution<int> jitter(0, 900); // us
    auto expected = 7s + std::chrono::microseconds(300);
    for (int i = 0; i < 1000; ++i) {
        const auto measured = i == 0 ? expected : 7s + std::chrono::microseconds(jitter(random));
        const auto stamp = timeline.place(i * frame, measured + i * frame, frame);
        EXPECT_EQ(stamp.time, expected);
        EXPECT_EQ(stamp.duration, frame);
        EXPECT_EQ(stamp.discontinuity, i == 0);
        expected += frame;
    }
}

struct Day {
    double ppm; ///< excess of the device's rate
    nanoseconds frame;
};
class CaptureTimelineDay : public ::testing::TestWithParam<Day> {};

// 24 hours of a drifting device, measured by a thread that is preempted now and then.
TEST_P(CaptureTimelineDay, TimestampsStayWithinFiveMillisecondsWithoutAGap)
{
    const auto [ppm, length] = GetParam();
    CaptureTimeline timeline;
    std::minstd_rand random(1);
    std::uniform_int_distribution<int> jitter(0, 1000); // us: a coarse position, scheduling
    std::uniform_int_distribution<int> per_mille(0, 999);
    nanoseconds end{0};
    nanoseconds worst{0};
    double sum = 0;
    const auto frames = 24h / length;
    for (std::int64_t i = 0; i < frames; ++i) {
        const auto position = i * length;
        const auto truth = 3s + nanoseconds(static_cast<std::int64_t>(
                                    static_cast<double>(position.count()) / (1 + ppm * 1e-6)));
        auto measured = truth + std::chrono::microseconds(jitter(random));
        if (per_mille(random) == 0)
            measured += 15ms;
        const auto stamp = timeline.place(position, measured, length);
        ASSERT_EQ(stamp.discontinuity, i == 0) << i;
        if (i > 0) {
            ASSERT_EQ(stamp.time, end) << i;
        }
        ASSERT_LE(std::chrono::abs(stamp.duration - length), length / 500);
        worst = std::max(worst, std::chrono::abs(stamp.time - truth));
        end = stamp.time + stamp.duration;
        sum += timeline.drift_ppm();
    }
    EXPECT_LT(worst, 5ms);
    EXPECT_NEAR(sum / static_cast<double>(frames), ppm, 1);
}

INSTANTIATE_TEST_SUITE_P(Drifting, CaptureTimelineDay,
                         ::testing::Values(Day{200, 20ms}, Day{-200, 20ms}, Day{500, 20ms},
                                           Day{-500, 20ms}, Day{1000, 40ms}, Day{-1000, 40ms},
                                           Day{1000, 10ms}),
                         [](const auto &info) { return "Case" + std::to_string(info.index); });

TEST(CaptureTimeline, CountsSamplesOnlyWhenNotFollowingTheClock)
{
    CaptureTimeline timeline;
    timeline.set_following_clock(false);
    for (int i = 0; i < 100'000; ++i) {
        const auto stamp = timeline.place(i * frame, i * (frame + 20us), frame);
        ASSERT_EQ(stamp.time, i * frame);
        ASSERT_EQ(stamp.duration, frame);
    }
}

TEST(CaptureTimeline, ExpectedGapIsMeasuredHoweverSmall)
{
    CaptureTimeline timeline;
    timeline.place(0ns, 1s, frame);
    timeline.expect_gap();
    timeline.restart_device();
    const auto stamp = timeline.place(0ns, 1s + frame + 7ms, frame);
    EXPECT_TRUE(stamp.discontinuity);
    EXPECT_EQ(stamp.time, 1s + frame + 7ms);
    EXPECT_EQ(stamp.missing, 7ms);
    EXPECT_FALSE(timeline.place(frame, stamp.time + frame, frame).discontinuity);
}

TEST(CaptureTimeline, FollowsAClockThatStepsAndReportsAGap)
{
    CaptureTimeline timeline;
    timeline.place(0ns, 1s, frame);
    int i = 1;
    CaptureTimeline::Stamp stamp{};
    do {
        stamp = timeline.place(i * frame, 1s + 500ms + i * frame, frame);
        ++i;
    } while (!stamp.discontinuity && i < 100);
    EXPECT_EQ(i * frame, CaptureTimeline::step_time + frame);
    EXPECT_NEAR(static_cast<double>(stamp.missing / 1us), 500000, 500); // slewed a little before
    // A single measurement is not a step.
    EXPECT_FALSE(timeline.place(i * frame, 9s + i * frame, frame).discontinuity);
    EXPECT_FALSE(timeline.place((i + 1) * frame, 1500ms + (i + 1) * frame, frame).discontinuity);
}

TEST(CaptureTimeline, SilenceAndAudioContinueEachOther)
{
    CaptureTimeline timeline;
    const auto first = timeline.place_silence(2s, frame);
    EXPECT_EQ(first.time, 2s);
    EXPECT_TRUE(first.discontinuity);
    timeline.expect_gap();
    const auto second = timeline.place_silence(9s, frame); // fills the gap
    EXPECT_EQ(second.time, 2s + frame);
    EXPECT_FALSE(second.discontinuity);
    const auto audio = timeline.place(0ns, 2s + 2 * frame + 300us, frame);
    EXPECT_EQ(audio.time, 2s + 2 * frame);
    EXPECT_FALSE(audio.discontinuity);
    EXPECT_EQ(timeline.next(), 2s + 3 * frame);
}

/// A device with random faults, and a thread whose measurements are late now and then.
class FaultyDevice {
public:
    FaultyDevice(unsigned seed, double rate) : random_(seed), rate_(rate) {}

    /// Captures a frame of this length.
    void capture(nanoseconds length)
    {
        if (chance(0.002))
            rate_ = std::uniform_real_distribution<double>(0.88, 1.12)(random_);
        truth = end_;
        end_ += std::chrono::duration_cast<nanoseconds>(length / rate_);
        if (chance(0.002))
            end_ += milliseconds_up_to(400); // a stall
        measured = truth + length / 20 * per_mille() / 1000;
        // CapturePcm repeats most late measurements, on which a device several times too fast
        // depends.
        if (rate_ < 1.2 && chance(0.005))
            measured += milliseconds_up_to(100); // the thread was preempted
        position = counted_;
        counted_ += length;
    }
    /// Sometimes loses samples and restarts counting at 0.
    bool overruns()
    {
        if (!chance(0.002))
            return false;
        end_ += milliseconds_up_to(500);
        counted_ = 0ns;
        return true;
    }

    nanoseconds truth{0}; ///< true capture time of the frame's first sample
    nanoseconds measured{0};
    nanoseconds position{0};

private:
    int per_mille() { return std::uniform_int_distribution<int>(0, 999)(random_); }
    bool chance(double part) { return std::uniform_real_distribution<double>()(random_) < part; }
    nanoseconds milliseconds_up_to(int limit)
    {
        return std::chrono::milliseconds(std::uniform_int_distribution<int>(1, limit)(random_));
    }

    std::minstd_rand random_;
    double rate_; // real seconds of audio per second
    nanoseconds end_{5s};
    nanoseconds counted_{0};
};

TEST(CaptureTimeline, TimestampsNeverRunBackwardsNorLeadTheClockByMoreThanAFrame)
{
    constexpr nanoseconds lengths[] = {2500us, 5ms, 10ms, 20ms, 40ms, 60ms};
    constexpr double rates[] = {0.33, 0.9, 0.999, 1.0, 1.005, 1.088, 1.5, 3.0};
    unsigned seed = 0;
    for (const auto length : lengths) {
        for (const double rate : rates) {
            CaptureTimeline timeline;
            FaultyDevice device(++seed, rate);
            nanoseconds end{0};
            for (int i = 0; i < 5000; ++i) {
                const bool has_overrun = device.overruns();
                if (has_overrun) {
                    timeline.expect_gap();
                    timeline.restart_device();
                }
                device.capture(length);
                if (i == 0 || has_overrun)
                    device.measured = device.truth;
                const auto stamp = timeline.place(device.position, device.measured, length);
                ASSERT_GE(stamp.time, end)
                    << "frame " << i << ", length " << length / 1us << " us, rate " << rate;
                ASSERT_GT(stamp.duration, 0ns);
                ASSERT_EQ(stamp.missing, i == 0 ? 0ns : stamp.time - end);
                ASSERT_TRUE(stamp.discontinuity || stamp.time == end);
                ASSERT_LE(stamp.time - device.measured, length)
                    << "frame " << i << ", rate " << rate;
                end = stamp.time + stamp.duration;
            }
        }
    }
}

TEST(CaptureTimeline, SilenceSkipsTimeWithoutAConsumer)
{
    CaptureTimeline timeline;
    timeline.place_silence(2s, frame);
    timeline.skip_to(5s);
    const auto stamp = timeline.place_silence(2s, frame);
    EXPECT_EQ(stamp.time, 5s);
    EXPECT_TRUE(stamp.discontinuity);
    EXPECT_EQ(stamp.missing, 3s - frame);
    timeline.skip_to(4s); // never back
    EXPECT_EQ(timeline.place_silence(2s, frame).time, 5s + frame);
}

TEST(CaptureTimeline, ResetStartsANewTimeline)
{
    CaptureTimeline timeline;
    timeline.place(0ns, 1s, frame);
    timeline.reset();
    EXPECT_FALSE(timeline.next());
    EXPECT_TRUE(timeline.place(0ns, 30s, frame).discontinuity);
}

} // namespace
} // namespace jkvm
