// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests the pipeline that mixes several talkers: one jkvmipcsrc per socket into audiomixer.
#include "support/gst_test.h"
#include "support/raw_socket.h"
#include "support/temporary_directory.h"

#include <gst/app/gstappsink.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <memory>
#include <numbers>

namespace jkvm {
namespace {

using testing::Pipeline;

constexpr double rate = 48000;
constexpr std::size_t window = 4800;
// Whole numbers of periods in a window, so that the tones are orthogonal.
constexpr std::array<double, 3> tones{440, 900, 1500};

/// Returns the amplitude of the tone, in 16-bit units.
double amplitude_of(double frequency, const std::vector<std::int16_t> &samples)
{
    double cosine = 0;
    double sine = 0;
    for (std::size_t i = 0; i < samples.size(); ++i) {
        const double phase = 2 * std::numbers::pi * frequency * static_cast<double>(i) / rate;
        cosine += samples[i] * std::cos(phase);
        sine += samples[i] * std::sin(phase);
    }
    return 2 * std::hypot(cosine, sine) / static_cast<double>(samples.size());
}

class Talkers : public ::testing::Test {
protected:
    [[nodiscard]] std::string path(std::size_t talker) const
    {
        return directory_.file(std::to_string(talker) + ".sock");
    }
    [[nodiscard]] std::string mixer() const
    {
        std::string line = "audiomixer name=mix ! audioconvert ! "
                           "audio/x-raw,format=S16LE,rate=48000,channels=1 ! "
                           "appsink name=sink sync=false";
        for (std::size_t talker = 0; talker < tones.size(); ++talker)
            line += " jkvmipcsrc direction=microphone socket-path=" + path(talker) +
                    " ! jkvmadaptivequeue ! opusdec plc=true ! mix.";
        return line;
    }
    [[nodiscard]] std::unique_ptr<Pipeline> start_talker(std::size_t talker) const
    {
        auto pipeline = std::make_unique<Pipeline>(
            "audiotestsrc is-live=true samplesperbuffer=960 volume=0.2 freq=" +
            std::to_string(tones.at(talker)) +
            " ! audio/x-raw,rate=48000,channels=1 ! opusenc ! "
            "jkvmipcsink direction=microphone socket-path=" +
            path(talker));
        pipeline->play();
        return pipeline;
    }
    /// Waits for a window of the mix that contains the tones of these talkers and of no other.
    static ::testing::AssertionResult hears(Pipeline &mix, const std::vector<std::size_t> &talkers)
    {
        auto *sink = GST_APP_SINK(mix.element("sink"));
        const auto deadline = std::chrono::steady_clock::now() + testing::wait_timeout;
        std::vector<std::int16_t> samples;
        std::array<double, tones.size()> amplitudes{};
        while (std::chrono::steady_clock::now() < deadline) {
            const auto sample =
                GstRef<GstSample>::adopt(gst_app_sink_try_pull_sample(sink, GST_SECOND));
            if (!sample)
                continue;
            auto *buffer = gst_sample_get_buffer(sample.get());
            const auto count = gst_buffer_get_size(buffer) / 2;
            samples.resize(samples.size() + count);
            gst_buffer_extract(buffer, 0, samples.data() + samples.size() - count, 2 * count);
            if (samples.size() < window)
                continue;
            samples.resize(window);
            bool is_as_expected = true;
            for (std::size_t i = 0; i < tones.size(); ++i) {
                amplitudes.at(i) = amplitude_of(tones.at(i), samples);
                const bool is_wanted = std::ranges::find(talkers, i) != talkers.end();
                const double wanted = is_wanted ? 0.2 * 32768 : 0;
                is_as_expected &= std::abs(amplitudes.at(i) - wanted) < 0.02 * 32768;
            }
            if (is_as_expected)
                return ::testing::AssertionSuccess();
            samples.clear();
        }
        auto failure = ::testing::AssertionFailure() << "amplitudes";
        for (const auto amplitude : amplitudes)
            failure << ' ' << amplitude / 32768;
        return failure;
    }

    testing::TemporaryDirectory directory_;
};

TEST_F(Talkers, AreMixedWhileTheyComeAndGo)
{
    Pipeline mix(mixer());
    mix.play();
    EXPECT_TRUE(hears(mix, {})) << "nobody talks";
    const auto first = start_talker(0);
    EXPECT_TRUE(hears(mix, {0}));
    auto second = start_talker(1);
    auto third = start_talker(2);
    EXPECT_TRUE(hears(mix, {0, 1, 2}));
    second.reset();
    EXPECT_TRUE(hears(mix, {0, 2}));
    third.reset();
    second = start_talker(1);
    EXPECT_TRUE(hears(mix, {0, 1}));
}

} // namespace
} // namespace jkvm
