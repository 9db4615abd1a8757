// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/device/capture_health.h"

#include <gtest/gtest.h>

#include <vector>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

constexpr auto frame = 20ms;
const std::vector<std::int16_t> audio{3, -5, 3, -5};
const std::vector<std::int16_t> silence(4, 0);
const std::vector<std::int16_t> offset(4, 1200);

/// Delivers frames at `pace` times real time until the check reports trouble, for at most two
/// seconds of audio.
DeviceTrouble watch(CaptureHealth &watch, double pace, const std::vector<std::int16_t> &samples,
                    int *frames = nullptr)
{
    for (int i = 0; i < 100; ++i) {
        const auto captured = std::chrono::duration_cast<nanoseconds>(i * frame / pace);
        const auto trouble = watch.check(i * frame, captured, frame, samples);
        if (frames != nullptr)
            *frames = i + 1;
        if (trouble != DeviceTrouble::none)
            return trouble;
    }
    return DeviceTrouble::none;
}

TEST(CaptureHealth, AcceptsAnyPlausiblePace)
{
    for (const double pace : {0.33, 0.9, 1.0, 1.1, 1.5, 3.0}) {
        CaptureHealth w;
        EXPECT_EQ(watch(w, pace, audio), DeviceTrouble::none) << pace;
    }
}

TEST(CaptureHealth, DetectsFreeRunningWithinThreeHundredMillisecondsOfAudio)
{
    for (const double pace : {5.0, 50.0, 1e6}) {
        CaptureHealth w;
        int frames = 0;
        EXPECT_EQ(watch(w, pace, audio, &frames), DeviceTrouble::free_running) << pace;
        EXPECT_LE(frames, 16);
    }
}

TEST(CaptureHealth, AcceptsALateMeasurementAndADeviceThatCatchesUp)
{
    for (const auto late : {50ms, 100ms, 200ms, 700ms}) {
        for (const int frames : {1, 5, 10}) {
            CaptureHealth w;
            for (int i = 0; i < 1000; ++i) {
                // The frames after a stall are measured late, or all appear at once.
                const bool is_late = i % 40 < frames;
                const auto captured = i * frame + (is_late ? nanoseconds(late) : 0ns);
                ASSERT_EQ(w.check(i * frame, captured, frame, audio), DeviceTrouble::none)
                    << late / 1ms << " ms, " << frames << " frames";
            }
        }
    }
}

TEST(CaptureHealth, AcceptsSilenceButNoOtherConstant)
{
    CaptureHealth quiet;
    EXPECT_EQ(watch(quiet, 1, silence), DeviceTrouble::none);
    CaptureHealth stuck;
    int frames = 0;
    EXPECT_EQ(watch(stuck, 1, offset, &frames), DeviceTrouble::stuck);
    EXPECT_EQ(frames * frame, CaptureHealth::max_constant_time);
}

TEST(CaptureHealth, AcceptsAConstantThatChangesBetweenFrames)
{
    CaptureHealth w;
    for (int i = 0; i < 100; ++i) {
        const std::vector<std::int16_t> step(4, static_cast<std::int16_t>(1 + i));
        EXPECT_EQ(w.check(i * frame, i * frame, frame, step), DeviceTrouble::none);
    }
}

TEST(CaptureHealth, TroubleIsClearedOnlyByEvidence)
{
    CaptureHealth w;
    EXPECT_TRUE(w.is_cleared_of(DeviceTrouble::unplugged));
    EXPECT_FALSE(w.is_cleared_of(DeviceTrouble::free_running));
    EXPECT_FALSE(w.is_cleared_of(DeviceTrouble::stuck));
    w.check(0ns, 0ns, frame, offset);
    EXPECT_FALSE(w.is_cleared_of(DeviceTrouble::stuck));
    w.check(frame, frame, frame, audio);
    EXPECT_TRUE(w.is_cleared_of(DeviceTrouble::stuck));
    EXPECT_FALSE(w.is_cleared_of(DeviceTrouble::free_running));
    for (int i = 2; i < 7; ++i)
        w.check(i * frame, i * frame, frame, audio);
    EXPECT_TRUE(w.is_cleared_of(DeviceTrouble::free_running));
    w.restart();
    EXPECT_FALSE(w.is_cleared_of(DeviceTrouble::free_running));
}

} // namespace
} // namespace jkvm
