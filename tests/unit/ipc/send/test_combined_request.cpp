// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/send/combined_request.h"

#include <gtest/gtest.h>

namespace jkvm {
namespace {

using Fields = wire::EncoderConfigFields;

wire::SettingsRequest request(const Fields &fields)
{
    return {.config = fields};
}

void expect_combination(const Fields &first, const Fields &second, const Fields &expected)
{
    EXPECT_EQ(combine_requests(request(first), request(second)), request(expected));
}

TEST(CombinedRequest, HasTheLowestCostInEachField)
{
    expect_combination({.bitrate = 32000, .complexity = 5, .bandwidth = 1105, .dtx = false},
                       {.bitrate = 64000, .complexity = 2, .bandwidth = 1103, .dtx = true},
                       {.bitrate = 32000, .complexity = 2, .bandwidth = 1103, .dtx = true});
}

TEST(CombinedRequest, HasTheFieldsThatOnlyOneRequestNames)
{
    expect_combination({.bitrate = 32000}, {.complexity = 2}, {.bitrate = 32000, .complexity = 2});
    expect_combination({}, {.sample_rate = 24000, .vbr = true},
                       {.sample_rate = 24000, .vbr = true});
}

TEST(CombinedRequest, HasTheLongestFrameAtItsRate)
{
    expect_combination({.sample_rate = 48000, .frame_size = 960},
                       {.sample_rate = 24000, .frame_size = 960},
                       {.sample_rate = 24000, .frame_size = 960});
    expect_combination({.sample_rate = 24000, .frame_size = 960},
                       {.sample_rate = 48000, .frame_size = 960},
                       {.sample_rate = 24000, .frame_size = 960});
    expect_combination({.frame_size = 1920}, {.sample_rate = 16000}, {.frame_size = 1920});
    expect_combination({.sample_rate = 16000}, {.frame_size = 1920}, {.frame_size = 1920});
}

TEST(CombinedRequest, HasTheHighestExpectedLoss)
{
    EXPECT_EQ(combine_requests({.packet_loss_percentage = 5}, {.packet_loss_percentage = 20}),
              wire::SettingsRequest{.packet_loss_percentage = 20});
    EXPECT_EQ(combine_requests({}, {.packet_loss_percentage = 0}),
              wire::SettingsRequest{.packet_loss_percentage = 0});
}

} // namespace
} // namespace jkvm
