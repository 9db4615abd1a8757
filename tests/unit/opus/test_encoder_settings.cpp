// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/opus/encoder_settings.h"

#include <gtest/gtest.h>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

struct Contradiction {
    EncoderSettings settings;
    std::string_view word; ///< in the only sentence; empty = no sentence
};

TEST(EncoderSettings, NamesContradictorySettings)
{
    const Contradiction table[] = {
        {{}, ""},
        {{.inband_fec = true, .packet_loss_percentage = 5}, ""},
        {{.packet_loss_percentage = 20}, ""}, // no effect on the mode without FEC
        {{.audio_type = AudioType::voice, .inband_fec = true, .packet_loss_percentage = 20}, ""},
        {{.signal = SignalHint::voice, .inband_fec = true, .packet_loss_percentage = 20}, ""},
        {{.frame = 10ms, .inband_fec = true, .packet_loss_percentage = 5}, ""},
        {{.dtx = true}, ""},
        {{.audio_type = AudioType::restricted_lowdelay,
          .inband_fec = true,
          .packet_loss_percentage = 5},
         "restricted-lowdelay"},
        {{.frame = 5ms, .inband_fec = true, .packet_loss_percentage = 5}, "shorter"},
        {{.inband_fec = true}, "without"},
        {{.inband_fec = true, .packet_loss_percentage = 8}, "2.6"},
        {{.bitrate_type = BitrateType::cbr, .dtx = true}, "cbr"},
    };
    for (const auto &[settings, word] : table) {
        const auto found = contradictions(settings);
        ASSERT_EQ(found.size(), word.empty() ? 0 : 1) << word;
        if (!word.empty()) {
            EXPECT_NE(found[0].find(word), std::string_view::npos) << found[0];
        }
    }
}

TEST(EncoderSettings, RequestChangesOnlyItsFields)
{
    const EncoderSettings before{.audio_type = AudioType::voice, .inband_fec = true};
    EXPECT_EQ(apply_request({}, before, {}), before);
    auto expected = before;
    expected.frame = 60ms;
    expected.bitrate = 48000;
    expected.complexity = 0;
    expected.dtx = true;
    expected.packet_loss_percentage = 7;
    EXPECT_EQ(apply_request({.frame = 60ms,
                             .bitrate = 48000,
                             .complexity = 0,
                             .dtx = true,
                             .packet_loss_percentage = 7},
                            before, {}),
              expected);
}

TEST(EncoderSettings, RequestIsClampedToLimitsAndRanges)
{
    const BitrateLimits limits{.minimum = 16000, .maximum = 64000};
    EXPECT_EQ(apply_request({.bitrate = 500}, {}, limits).bitrate, 16000U);
    EXPECT_EQ(apply_request({.bitrate = 512000}, {}, limits).bitrate, 64000U);
    EXPECT_EQ(apply_request({.complexity = 99}, {}, limits).complexity, 10U);
    EXPECT_EQ(apply_request({.packet_loss_percentage = 101}, {}, limits).packet_loss_percentage,
              100U);
    EXPECT_EQ(apply_request({.frame = 30ms}, {}, limits).frame, 20ms);
    EXPECT_EQ(apply_request({.frame = 120ms}, {}, limits).frame, 20ms);
    // If the limits exclude each other, the minimum applies.
    EXPECT_EQ(apply_request({.bitrate = 20000}, {}, {.minimum = 32000, .maximum = 8000}).bitrate,
              32000U);
    // The owner's own bitrate is not limited.
    EXPECT_EQ(apply_request({}, {.bitrate = 96000}, limits).bitrate, 96000U);
}

} // namespace
} // namespace jkvm
