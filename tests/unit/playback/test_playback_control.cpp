// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/playback/playback_control.h"

#include <gtest/gtest.h>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

constexpr MonotonicTime start{1h};

class PlaybackControlTest : public ::testing::Test {
protected:
    PlaybackControlTest() { clock_.observe(0, start); }

    /// The decision for audio that would play late by `error`.
    PlaybackControl::Step step(nanoseconds error)
    {
        return control_.next(clock_, 48000, start + 1s - error);
    }

    PlaybackClock clock_{48000};
    PlaybackControl control_;
};

TEST_F(PlaybackControlTest, InsertsSilenceBeforeFirstSampleThatWouldPlayEarly)
{
    EXPECT_EQ(step(-10ms).silence, 480);
    EXPECT_LT(std::chrono::abs(control_.error()), 21us);
}

TEST_F(PlaybackControlTest, TakesBackSilenceIfFirstSampleWouldPlayLate)
{
    EXPECT_EQ(step(10ms).silence, -480);
    EXPECT_LT(std::chrono::abs(control_.error()), 21us);
}

TEST_F(PlaybackControlTest, HasNoErrorAfterDroppingMoreThanWasWritten)
{
    // The first packet of a device that was restarted is late by 2 s.
    EXPECT_EQ(step(2s).silence, -96000);
    EXPECT_LT(std::chrono::abs(control_.error()), 21us);
}

TEST_F(PlaybackControlTest, CorrectsErrorWithinFiveSecondsByRatio)
{
    step(0ns);
    EXPECT_EQ(step(1ms).silence, 0);
    EXPECT_NEAR(step(1ms).ratio, 1 - 200e-6, 1e-9);
    EXPECT_NEAR(step(-1ms).ratio, 1 + 200e-6, 1e-9);
    EXPECT_EQ(control_.error(), -1ms);
}

TEST_F(PlaybackControlTest, BoundsTheCorrection)
{
    step(0ns);
    EXPECT_NEAR(step(30ms).ratio, 1 - 500e-6, 1e-9);
    EXPECT_NEAR(step(-30ms).ratio, 1 + 500e-6, 1e-9);
}

TEST_F(PlaybackControlTest, CorrectsAtOnceWhatIsTooLargeToSlew)
{
    step(0ns);
    EXPECT_EQ(step(40ms).silence, 0);
    EXPECT_EQ(step(50ms).silence, -2400);
    EXPECT_EQ(step(-50ms).silence, 2400);
}

TEST_F(PlaybackControlTest, CorrectsSmallErrorAtOnceAfterRealign)
{
    step(0ns);
    control_.realign();
    EXPECT_EQ(step(-1ms).silence, 48);
    EXPECT_EQ(step(-1ms).silence, 0);
}

TEST_F(PlaybackControlTest, FeedsTheRateOfTheTimestampsForward)
{
    step(0ns);
    EXPECT_NEAR(control_.next(clock_, 48000, start + 1s, 5000).ratio, 1.005, 1e-9);
    EXPECT_NEAR(control_.next(clock_, 48000, start + 1s, -5000).ratio, 0.995, 1e-9);
    // Only the residual is bounded.
    EXPECT_NEAR(control_.next(clock_, 48000, start + 1s - 30ms, 5000).ratio, 1.0045, 1e-9);
}

TEST_F(PlaybackControlTest, CorrectsOnlyLargeErrorsIfItDoesNotFollow)
{
    control_.set_following(false);
    step(0ns);
    EXPECT_EQ(control_.next(clock_, 48000, start + 1s, 5000).ratio, 1);
    EXPECT_EQ(step(30ms).ratio, 1);
    EXPECT_EQ(step(30ms).silence, 0);
    EXPECT_EQ(step(50ms).silence, -2400);
}

} // namespace
} // namespace jkvm
