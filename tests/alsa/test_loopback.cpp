// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests the loopback of the test PCM and its simulated clock.
#include "alsa/audio_loopback.h"
#include "alsa/pcm_capture.h"
#include "alsa/pcm_playback.h"
#include "support/alsa_device.h"
#include "support/played_audio.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>

#include <poll.h>

#include <algorithm>
#include <numeric>

namespace jkvm::testing {
namespace {

using namespace std::chrono_literals;

constexpr size_t delay_frames = AudioLoopback::delay / 1'000'000 * 48;

std::vector<int16_t> ramp(size_t count)
{
    std::vector<int16_t> frames(count);
    std::iota(frames.begin(), frames.end(), int16_t{1});
    return frames;
}

/// Runs every test in read/write mode and in mmap mode, on a simulated clock.
class LoopbackTest : public ::testing::TestWithParam<bool> {
protected:
    LoopbackTest()
    {
        play_settings_.mmap = capture_settings_.mmap = GetParam();
        player_.simulate_clock();
        recorder_.simulate_clock();
    }
    static void TearDownTestSuite() { snd_config_update_free_global(); }

    void open()
    {
        ASSERT_EQ(playback_.open(player_.device(), play_settings_), 0);
        ASSERT_EQ(capture_.open(recorder_.device(), capture_settings_), 0);
    }
    /// Advances the clocks of both devices and collects the captured samples.
    void pass(std::chrono::milliseconds time)
    {
        for (; time > 0ms; time -= 5ms) {
            player_.advance(5ms);
            recorder_.advance(5ms);
            snd_pcm_avail(playback_.pcm());
            ASSERT_GE(capture_.read(capture_.buffer_size(), captured_), 0);
        }
    }
    [[nodiscard]] std::vector<double> captured() const
    {
        return channel_of(captured_, capture_settings_.channels);
    }

    TemporaryDirectory directory_;
    TestPcm player_{{.loopback = directory_.file("loopback")}};
    TestPcm recorder_{{.loopback = directory_.file("loopback")}};
    PlaybackSettings play_settings_;
    CaptureSettings capture_settings_{.channels = 1};
    PcmPlayback playback_;
    PcmCapture capture_;
    PcmCapture::Bytes captured_;
};

INSTANTIATE_TEST_SUITE_P(Access, LoopbackTest, ::testing::Bool(),
                         [](const auto &access) { return access.param ? "Mmap" : "ReadWrite"; });

TEST_P(LoopbackTest, CapturesPlayedFramesAfterAFixedDelay)
{
    open();
    ASSERT_EQ(playback_.write(ramp(4800)), 4800);
    ASSERT_EQ(capture_.start(), 0);
    ASSERT_EQ(snd_pcm_start(playback_.pcm()), 0);
    pass(250ms);
    const auto samples = captured();
    ASSERT_EQ(samples.size(), 12000u);
    for (size_t i = 0; i < samples.size(); i++) {
        // The last sample is held.
        const auto played = i < delay_frames ? 0 : std::min<size_t>(i - delay_frames + 1, 4800);
        const bool is_over = i >= delay_frames + 4800 + AudioLoopback::max_held;
        ASSERT_EQ(samples[i], is_over ? 0.0 : static_cast<double>(played)) << i;
    }
}

TEST_P(LoopbackTest, HoldsASampleIfThePlaybackClockIsSlow)
{
    open();
    player_.send("ppm -1000");
    ASSERT_EQ(playback_.write(ramp(9600)), 9600);
    ASSERT_EQ(capture_.start(), 0);
    ASSERT_EQ(snd_pcm_start(playback_.pcm()), 0);
    pass(250ms);
    const auto samples = captured();
    size_t held = 0;
    for (size_t i = delay_frames + 1; i < 12000; i++) {
        const double step = samples[i] - samples[i - 1];
        ASSERT_TRUE(step == 1 || step == 0) << i;
        held += step == 0 ? 1 : 0;
    }
    EXPECT_NEAR(static_cast<double>(held), 7.2, 1);
}

TEST_P(LoopbackTest, CapturesSilenceWhileNothingIsPlayed)
{
    open();
    ASSERT_EQ(playback_.write(ramp(9600)), 9600);
    ASSERT_EQ(capture_.start(), 0);
    ASSERT_EQ(snd_pcm_start(playback_.pcm()), 0);
    pass(50ms);
    player_.send("unplug");
    pass(150ms);
    const auto samples = captured();
    // Unplugged by the first call after the command, 5 ms later.
    EXPECT_EQ(samples[delay_frames + 2639], 2640);
    EXPECT_TRUE(std::all_of(samples.begin() + delay_frames + 2640 + AudioLoopback::max_held,
                            samples.end(), [](double sample) { return sample == 0; }));
}

TEST_P(LoopbackTest, StopsWhileItsClockIsFrozen)
{
    open();
    ASSERT_EQ(playback_.write(ramp(9600)), 9600);
    ASSERT_EQ(capture_.start(), 0);
    ASSERT_EQ(snd_pcm_start(playback_.pcm()), 0);
    pass(50ms);
    player_.send("freeze 40");
    pass(200ms);
    const auto samples = captured();
    // Frozen from the first call after the command, 5 ms later, for 40 ms.
    EXPECT_EQ(samples[delay_frames + 2600], 2601);
    EXPECT_EQ(samples[delay_frames + 3600], 0);
    EXPECT_EQ(samples[delay_frames + 4700], 4701 - 40 * 48);
}

TEST_P(LoopbackTest, AdvancesOnlyWithItsSimulatedClock)
{
    player_.record_playback();
    open();
    ASSERT_EQ(playback_.write(ramp(9600)), 9600);
    ASSERT_EQ(snd_pcm_start(playback_.pcm()), 0);
    EXPECT_EQ(playback_.wait(30ms), 0);
    EXPECT_EQ(playback_.pointer(), 0u);
    player_.advance(100ms);
    EXPECT_EQ(playback_.wait(10s) & (POLLOUT | POLLERR), POLLOUT);
    EXPECT_EQ(playback_.pointer(), 4800u);
    player_.advance(24h);
    EXPECT_LT(snd_pcm_avail(playback_.pcm()), 0);
    EXPECT_EQ(snd_pcm_state(playback_.pcm()), SND_PCM_STATE_XRUN);
    const PlayedAudio played(player_, 1);
    EXPECT_EQ(played.frames(), 9600u);
    EXPECT_EQ(played.time_of(4800) - played.time_of(0), 100ms);
}

} // namespace
} // namespace jkvm::testing
