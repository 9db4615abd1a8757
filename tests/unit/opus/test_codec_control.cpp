// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/opus/codec_control.h"

#include <gtest/gtest.h>

namespace jkvm {
namespace {

using namespace std::chrono_literals;
using wire::Direction;

TEST(CodecControl, StartsWithTheDefaultPreset)
{
    const CodecControl control;
    EXPECT_EQ(control.quality(), Quality::medium);
    EXPECT_EQ(control.effective(), quality_preset(Direction::output, Quality::medium));
}

TEST(CodecControl, PresetFollowsTheDirectionInEitherOrder)
{
    CodecControl control;
    control.set_quality(Quality::ultra);
    control.set_direction(Direction::microphone);
    EXPECT_EQ(control.effective(), quality_preset(Direction::microphone, Quality::ultra));
    control.set_quality(Quality::low);
    EXPECT_EQ(control.effective(), quality_preset(Direction::microphone, Quality::low));
}

TEST(CodecControl, OwnersSettingKeepsTheRestOfThePreset)
{
    CodecControl control;
    control.set_quality(Quality::high);
    control.change([](EncoderSettings &settings) { settings.bitrate = 64000; });
    auto expected = quality_preset(Direction::output, Quality::high);
    expected.bitrate = 64000;
    EXPECT_EQ(control.effective(), expected);
    EXPECT_FALSE(control.quality());
    control.set_direction(Direction::microphone);
    EXPECT_EQ(control.effective().bitrate, 64000U);
    EXPECT_EQ(control.effective().channels, 1U); // more are not captured
    control.set_quality(std::nullopt);
    EXPECT_EQ(control.effective().bitrate, 64000U);
}

TEST(CodecControl, RequestsAccumulateUntilTheOwnerSetsSomething)
{
    CodecControl control;
    control.request({.bitrate = 40000});
    control.request({.dtx = true});
    EXPECT_EQ(control.effective().bitrate, 40000U);
    EXPECT_TRUE(control.effective().dtx);
    EXPECT_EQ(control.settings().bitrate, 96000U);
    EXPECT_EQ(control.quality(), Quality::medium);
    control.change([](EncoderSettings &settings) { settings.complexity = 3; });
    EXPECT_EQ(control.effective().bitrate, 96000U);
    control.request({.frame = 40ms});
    control.set_quality(Quality::high);
    EXPECT_EQ(control.effective(), quality_preset(Direction::output, Quality::high));
}

TEST(CodecControl, WithdrawnRequestRestoresTheOwnersSettings)
{
    CodecControl control;
    control.set_quality(Quality::high);
    control.request({.frame = 40ms, .bitrate = 40000, .complexity = 0, .dtx = true});
    ASSERT_EQ(control.effective().bitrate, 40000U);
    control.withdraw_request();
    EXPECT_EQ(control.effective(), quality_preset(Direction::output, Quality::high));
    EXPECT_EQ(control.quality(), Quality::high);
}

TEST(CodecControl, LimitsApplyToEarlierRequests)
{
    CodecControl control;
    control.request({.bitrate = 500000});
    control.set_limits({.minimum = 8000, .maximum = 128000});
    EXPECT_EQ(control.effective().bitrate, 128000U);
}

} // namespace
} // namespace jkvm
