// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/playout/frame_stepper.h"

#include <gtest/gtest.h>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

class FrameStepperTest : public testing::Test {
protected:
    nanoseconds change(nanoseconds time, nanoseconds offset, nanoseconds target,
                       bool can_drop = true)
    {
        return stepper_.request_change({time, offset, 20ms, 0ms, false, can_drop}, target);
    }

    FrameStepper stepper_;
};

TEST_F(FrameStepperTest, DropsAFrameWhenTheDelayIsTooLong)
{
    EXPECT_EQ(change(0s, 60ms, 40ms), -20ms);
}

TEST_F(FrameStepperTest, ConcealsAFrameWhenTheDelayIsTooShort)
{
    EXPECT_EQ(change(0s, 20ms, 40ms), 20ms);
}

// Two thresholds less than a frame apart would oscillate endlessly.
TEST_F(FrameStepperTest, IgnoresADifferenceOfLessThanAFrame)
{
    EXPECT_EQ(change(0s, 59ms, 40ms), 0ms);
    EXPECT_EQ(change(0s, 21ms, 40ms), 0ms);
    auto offset = 59ms + 999us;
    int edits = 0;
    for (int i = 0; i < 1000; ++i) {
        const auto edit = change(i * 20ms, offset, 40ms);
        offset += std::chrono::duration_cast<std::chrono::microseconds>(edit);
        edits += edit != 0ms ? 1 : 0;
    }
    EXPECT_EQ(edits, 0);
}

TEST_F(FrameStepperTest, LimitsTheRateOfEdits)
{
    EXPECT_EQ(change(0s, 100ms, 40ms), -20ms);
    EXPECT_EQ(change(199ms, 80ms, 40ms), 0ms);
    EXPECT_EQ(change(200ms, 80ms, 40ms), -20ms);
}

TEST_F(FrameStepperTest, DropsLaterIfNoFrameCanBeDroppedNow)
{
    EXPECT_EQ(change(0s, 100ms, 40ms, false), 0ms);
    EXPECT_EQ(change(20ms, 100ms, 40ms), -20ms);
}

TEST_F(FrameStepperTest, ResetAllowsAnImmediateEdit)
{
    EXPECT_EQ(change(100s, 100ms, 40ms), -20ms);
    stepper_.reset();
    EXPECT_EQ(change(1ms, 100ms, 40ms), -20ms);
}

} // namespace
} // namespace jkvm
