// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/playback/playback_clock.h"

#include <gtest/gtest.h>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

constexpr MonotonicTime start{1h};

/// Plays that many seconds on a device that is 300 ppm fast, observed every 20 ms.
void play(PlaybackClock &clock, MonotonicTime begin, int seconds)
{
    for (int i = 0; i < 50 * seconds; ++i)
        clock.observe(960 * static_cast<std::uint64_t>(i),
                      begin + nanoseconds(static_cast<std::int64_t>(i * 20e6 / 1.0003)));
}

TEST(PlaybackClock, ExtrapolatesToFramesThatAreNotPlayedYet)
{
    PlaybackClock clock(48000);
    play(clock, start, 60);
    EXPECT_NEAR(clock.ppm(), 300, 1);
    const auto expected = start + nanoseconds(static_cast<std::int64_t>(61e9 / 1.0003));
    EXPECT_LT(std::chrono::abs(clock.time_of(std::uint64_t{61} * 48000) - expected), 10us);
}

TEST(PlaybackClock, KeepsRateWhenDeviceIsRestarted)
{
    PlaybackClock clock(48000);
    play(clock, start, 60);
    clock.restart();
    EXPECT_EQ(clock.observations(), 0u);
    clock.observe(480, start + 2min);
    EXPECT_EQ(clock.observations(), 1u);
    EXPECT_EQ(clock.time_of(480), start + 2min);
    EXPECT_NEAR(clock.ppm(), 300, 1);
}

TEST(PlaybackClock, ConvertsFramesOfAYearWithoutOverflow)
{
    const PlaybackClock clock(44100);
    EXPECT_EQ(clock.to_time(44100ULL * 86400 * 365 + 441), 24h * 365 + 10ms);
}

TEST(PlaybackClockPitch, DoesNotMistakeAPitchForDrift)
{
    PlaybackClock clock(48000);
    MonotonicTime now(std::chrono::hours(1));
    double played = 0;
    double pitch = 1;
    for (int i = 0; i < 6000; ++i) {
        if (i % 1000 == 999) {
            pitch = i % 2000 == 999 ? 1.004 : 0.996;
            clock.set_pitch(pitch, static_cast<std::uint64_t>(played));
        }
        now += std::chrono::milliseconds(10);
        played += 480 * pitch * (1 + 200e-6);
        clock.observe(static_cast<std::uint64_t>(played), now);
        const auto error = clock.time_of(static_cast<std::uint64_t>(played)) - now;
        ASSERT_LT(std::chrono::abs(error), std::chrono::microseconds(50)) << i;
        ASSERT_NEAR(static_cast<double>(clock.frame_at(now)), played, 3) << i;
    }
    EXPECT_NEAR(clock.ppm(), 200, 2);
}

} // namespace
} // namespace jkvm
