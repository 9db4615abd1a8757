// SPDX-License-Identifier: LGPL-2.1-or-later
// The conversion of samples to the formats of a playback device.
#include "alsa/playback_pcm.h"
#include "support/fake_clocks.h"
#include "support/played_audio.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace jkvm {
namespace {

using namespace std::chrono_literals;
using testing::PlayedAudio;

class PlaybackPcmFormats : public ::testing::TestWithParam<const char *> {};

TEST_P(PlaybackPcmFormats, RoundsAndClipsEachSample)
{
    const testing::FakeMonotonicClock clock{MonotonicTime(1h)};
    testing::TestPcm test({.format = GetParam()});
    test.record_playback();
    // An odd number of frames, so that the last ones are not a whole block.
    std::vector<float> samples;
    samples.reserve(962);
    for (int i = 0; i < 481; ++i) {
        samples.push_back(std::sin(0.1F * static_cast<float>(i)) * 1.2F);
        samples.push_back((static_cast<float>(i) - 240.0F + 0.5F) / 32768.0F);
    }
    samples[1] = 1;
    samples[3] = -1;
    samples[5] = std::numeric_limits<float>::infinity();
    auto pcm = PlaybackPcm::open(
        {.device = test.device(), .channels = 2, .period = 10ms, .buffer_time = 100ms});
    ASSERT_TRUE(pcm);
    ASSERT_TRUE(pcm->start(1ms));
    ASSERT_EQ(pcm->write(samples, 2), 481u);
    constexpr std::size_t silence = 48;
    while (pcm->update() == PlaybackPcm::Outcome::ready && pcm->pointer() < silence + 480)
        testing::FakeMonotonicClock::set(monotonic_now() + 100us);
    const PlayedAudio played(test);
    ASSERT_GE(played.frames(), silence + 480);
    for (unsigned channel = 0; channel < 2; ++channel) {
        const auto recorded = played.channel(channel);
        for (std::size_t i = 0; i < 480; ++i) {
            const double exact =
                std::min(std::max(samples[2 * i + channel], -1.0F), 1.0F) * 32768.0;
            const double largest = 32768.0 - (std::string(GetParam()) == "S16_LE" ? 1 : 1.0 / 256);
            const double step = std::string(GetParam()) == "S16_LE" ? 1 : 1.0 / 256;
            const double wanted = std::min(step * std::nearbyint(exact / step), largest);
            ASSERT_EQ(recorded[silence + i], wanted) << "frame " << i << ", channel " << channel;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Formats, PlaybackPcmFormats, ::testing::Values("S16_LE", "S24_3LE"),
                         [](const auto &format) { return std::string(format.param); });

} // namespace
} // namespace jkvm
