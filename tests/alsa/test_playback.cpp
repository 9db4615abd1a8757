// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests playback on the test PCM through libasound: recording, timing, pointer and faults.
#include "alsa/pcm_playback.h"
#include "support/played_audio.h"

#include <gtest/gtest.h>

#include <poll.h>

#include <cmath>
#include <numeric>
#include <set>

namespace jkvm::testing {
namespace {

using namespace std::chrono_literals;

/// Returns frames with consecutive values, so that each one is identifiable.
std::vector<int16_t> ramp(int first, size_t count)
{
    std::vector<int16_t> frames(count);
    std::iota(frames.begin(), frames.end(), static_cast<int16_t>(first));
    return frames;
}

/// Runs every test in read/write mode and in mmap mode. The device has a simulated clock, so that
/// no ring runs dry because the test is interrupted.
class PlaybackPcmTest : public ::testing::TestWithParam<bool> {
protected:
    PlaybackPcmTest()
    {
        settings_.mmap = GetParam();
        test_.record_playback();
        test_.simulate_clock();
    }

    static void TearDownTestSuite() { snd_config_update_free_global(); }

    /// Starts playback with these frames in the ring buffer.
    void open_running(const std::vector<int16_t> &frames)
    {
        ASSERT_EQ(playback_.open(test_.device(), settings_), 0);
        ASSERT_EQ(playback_.write(frames), static_cast<snd_pcm_sframes_t>(frames.size()));
        ASSERT_EQ(snd_pcm_start(playback_.pcm()), 0);
    }

    void send(const char *command)
    {
        test_.send(command);
        snd_pcm_avail(playback_.pcm());
        ASSERT_EQ(test_.count_log(std::string("cmd ") + command), 1u);
    }

    void advance(std::chrono::nanoseconds step = 100us)
    {
        test_.advance(step);
        now_ += step;
    }
    void wait_for_pointer(uint64_t frame)
    {
        while (snd_pcm_avail(playback_.pcm()) >= 0 && playback_.pointer() < frame)
            advance();
    }
    void wait_for_underrun()
    {
        while (snd_pcm_avail(playback_.pcm()) >= 0)
            advance();
    }

    PlaybackSettings settings_;
    TestPcm test_;
    PcmPlayback playback_;
    std::chrono::nanoseconds now_ = 1s; // the simulated clock
};

INSTANTIATE_TEST_SUITE_P(Access, PlaybackPcmTest, ::testing::Bool(),
                         [](const auto &access) { return access.param ? "Mmap" : "ReadWrite"; });

TEST_P(PlaybackPcmTest, RecordsPlayedFramesAndTheirTimes)
{
    open_running(ramp(1, 4800));
    const auto started = now_;
    wait_for_pointer(2400);
    snd_pcm_drop(playback_.pcm());
    const PlayedAudio played(test_, 1);
    ASSERT_GE(played.frames(), 2400u);
    EXPECT_LT(played.frames(), 4800u);
    const auto samples = played.channel();
    for (size_t i = 0; i < samples.size(); i++)
        ASSERT_EQ(samples[i], static_cast<double>(i + 1));
    EXPECT_EQ(played.time_of(0), started);
    EXPECT_EQ(played.time_of(2400) - played.time_of(0), 50ms);
    EXPECT_EQ(played.first_above(1000), 999u);
}

TEST_P(PlaybackPcmTest, RecordsEveryFormat)
{
    settings_.format = SND_PCM_FORMAT_S32_LE;
    for (const auto format :
         {SND_PCM_FORMAT_S24_LE, SND_PCM_FORMAT_S24_3LE, SND_PCM_FORMAT_S32_LE}) {
        TestPcm test;
        test.record_playback();
        test.simulate_clock();
        settings_.format = format;
        ASSERT_EQ(playback_.open(test.device(), settings_), 0);
        std::vector<unsigned char> bytes(
            static_cast<size_t>(snd_pcm_frames_to_bytes(playback_.pcm(), 480)), 0x12);
        ASSERT_EQ(settings_.mmap ? snd_pcm_mmap_writei(playback_.pcm(), bytes.data(), 480)
                                 : snd_pcm_writei(playback_.pcm(), bytes.data(), 480),
                  480);
        ASSERT_EQ(snd_pcm_start(playback_.pcm()), 0);
        while (snd_pcm_avail(playback_.pcm()) >= 0)
            test.advance(100us);
        const PlayedAudio played(test, 1);
        ASSERT_EQ(played.frames(), 480u);
        EXPECT_NEAR(played.channel()[479], 0x1212, 1) << snd_pcm_format_name(format);
    }
}

TEST_P(PlaybackPcmTest, PlaysFramesWrittenAgainAfterRewind)
{
    open_running(ramp(1, 9600));
    ASSERT_EQ(snd_pcm_rewind(playback_.pcm(), 4800), 4800);
    ASSERT_EQ(playback_.write(ramp(20001, 2400)), 2400);
    wait_for_underrun();
    const auto samples = PlayedAudio(test_, 1).channel();
    ASSERT_EQ(samples.size(), 7200u);
    EXPECT_EQ(samples[4799], 4800);
    EXPECT_EQ(samples[4800], 20001);
    EXPECT_EQ(samples[7199], 22400);
}

TEST_P(PlaybackPcmTest, UnderrunsAtTheEndOfItsRing)
{
    open_running(ramp(1, 480));
    EXPECT_NE(playback_.wait(10s) & POLLERR, POLLERR); // the ring buffer has room
    wait_for_underrun();
    EXPECT_EQ(snd_pcm_state(playback_.pcm()), SND_PCM_STATE_XRUN);
    EXPECT_EQ(playback_.write(ramp(1, 1)), -EPIPE);
    EXPECT_EQ(PlayedAudio(test_, 1).frames(), 480u);
    ASSERT_EQ(snd_pcm_prepare(playback_.pcm()), 0);
    ASSERT_EQ(playback_.write(ramp(1001, 480)), 480);
    ASSERT_EQ(snd_pcm_start(playback_.pcm()), 0);
    wait_for_underrun();
    const PlayedAudio played(test_, 1);
    ASSERT_EQ(played.frames(), 960u);
    EXPECT_EQ(played.channel()[480], 1001);
    EXPECT_GE(played.time_of(480) - played.time_of(479.99), 0ns);
}

TEST_P(PlaybackPcmTest, PlaysOldContentOfItsRingIfItMayNotStop)
{
    ASSERT_EQ(playback_.open(test_.device(), settings_), 0);
    snd_pcm_sw_params_t *sw = nullptr;
    snd_pcm_sw_params_alloca(&sw);
    snd_pcm_uframes_t boundary = 0;
    ASSERT_EQ(snd_pcm_sw_params_current(playback_.pcm(), sw), 0);
    snd_pcm_sw_params_get_boundary(sw, &boundary);
    ASSERT_EQ(snd_pcm_sw_params_set_stop_threshold(playback_.pcm(), sw, boundary), 0);
    ASSERT_EQ(snd_pcm_sw_params(playback_.pcm(), sw), 0);
    ASSERT_EQ(playback_.write(ramp(1, 9600)), 9600);
    ASSERT_EQ(snd_pcm_start(playback_.pcm()), 0);
    while (PlayedAudio(test_, 1).frames() < 9700) {
        advance(5ms);
        snd_pcm_avail(playback_.pcm());
    }
    EXPECT_EQ(PlayedAudio(test_, 1).channel()[9650], 51);
}

TEST_P(PlaybackPcmTest, DrainsToTheLastFrame)
{
    TestPcm test; // in real time, because draining blocks
    test.record_playback();
    ASSERT_EQ(playback_.open(test.device(), settings_), 0);
    ASSERT_EQ(playback_.write(ramp(1, 1200)), 1200);
    ASSERT_EQ(snd_pcm_start(playback_.pcm()), 0);
    snd_pcm_nonblock(playback_.pcm(), 0);
    EXPECT_EQ(snd_pcm_drain(playback_.pcm()), 0);
    const auto samples = PlayedAudio(test, 1).channel();
    ASSERT_EQ(samples.size(), 1200u);
    EXPECT_EQ(samples.back(), 1200);
}

TEST_P(PlaybackPcmTest, DriftsByPartsPerMillion)
{
    ASSERT_EQ(playback_.open(test_.device(), settings_), 0);
    test_.send("ppm 1000");
    ASSERT_EQ(playback_.write(ramp(1, 480)), 480);
    ASSERT_EQ(snd_pcm_start(playback_.pcm()), 0);
    for (uint64_t frames = 480; playback_.pointer() < 4805; advance()) {
        if (frames < playback_.pointer() + 960)
            frames += static_cast<uint64_t>(playback_.write(ramp(1, 480)));
    }
    const PlayedAudio played(test_, 1);
    EXPECT_LT(std::chrono::abs(played.time_of(4804.8) - played.time_of(0) - 100ms), 30us);
}

TEST_P(PlaybackPcmTest, MovesItsPointerInSteps)
{
    ASSERT_EQ(playback_.open(test_.device(), settings_), 0);
    test_.send("granularity 240");
    ASSERT_EQ(playback_.write(ramp(1, 9600)), 9600);
    ASSERT_EQ(snd_pcm_start(playback_.pcm()), 0);
    std::set<uint64_t> seen;
    while (seen.size() < 5) {
        advance();
        seen.insert(playback_.pointer());
    }
    for (const auto pointer : seen)
        EXPECT_EQ(pointer % 240, 0u);
    snd_pcm_sframes_t delay = 0;
    ASSERT_EQ(snd_pcm_delay(playback_.pcm(), &delay), 0);
    EXPECT_LE(delay, static_cast<snd_pcm_sframes_t>(9600 - *seen.rbegin()));
}

TEST_P(PlaybackPcmTest, MovesItsPointerLateByItsJitter)
{
    ASSERT_EQ(playback_.open(test_.device(), settings_), 0);
    test_.send("granularity 48");
    test_.send("jitter 900");
    ASSERT_EQ(playback_.write(ramp(1, 9600)), 9600);
    ASSERT_EQ(snd_pcm_start(playback_.pcm()), 0);
    bool was_late = false;
    for (uint64_t last = 0; last < 7200;) {
        advance();
        const auto pointer = playback_.pointer();
        snd_pcm_sframes_t delay = 0;
        ASSERT_EQ(snd_pcm_delay(playback_.pcm(), &delay), 0);
        ASSERT_GE(pointer, last);
        last = pointer;
        was_late = was_late || 9600 - static_cast<uint64_t>(delay) >= pointer + 60;
    }
    EXPECT_TRUE(was_late);
}

TEST_P(PlaybackPcmTest, StopsWhileFrozenWithoutAWakeUp)
{
    open_running(ramp(1, 9600));
    wait_for_pointer(100);
    send("freeze 3600000");
    const auto pointer = playback_.pointer();
    playback_.write(ramp(9601, pointer)); // fills the ring buffer
    EXPECT_EQ(playback_.wait(30ms), 0) << pointer;
    EXPECT_EQ(playback_.pointer(), pointer);
    EXPECT_EQ(snd_pcm_state(playback_.pcm()), SND_PCM_STATE_RUNNING);
    const auto before = now_;
    send("freeze 0");
    wait_for_pointer(pointer + 480);
    const PlayedAudio played(test_, 1);
    EXPECT_EQ(played.channel()[pointer + 400], static_cast<double>(pointer + 401));
    EXPECT_GE(played.time_of(static_cast<double>(pointer) + 1), before);
}

TEST_P(PlaybackPcmTest, FailsWritesOnCommand)
{
    open_running(ramp(1, 480));
    send("freeze 3600000");
    send("err EIO");
    EXPECT_EQ(playback_.write(ramp(1, 10)), -EIO);
    EXPECT_EQ(playback_.write(ramp(1, 10)), 10);
    send("errs EIO");
    EXPECT_EQ(playback_.write(ramp(1, 10)), -EIO);
    EXPECT_EQ(playback_.write(ramp(1, 10)), -EIO);
    send("errs 0");
    EXPECT_EQ(playback_.write(ramp(1, 10)), 10);
}

TEST_P(PlaybackPcmTest, IsUnpluggedUntilItCanBeOpenedAgain)
{
    open_running(ramp(1, 4800));
    send("unplug");
    EXPECT_NE(playback_.wait(10s) & POLLERR, 0);
    EXPECT_EQ(snd_pcm_state(playback_.pcm()), SND_PCM_STATE_DISCONNECTED);
    EXPECT_EQ(playback_.write(ramp(1, 10)), -ENODEV);
    EXPECT_EQ(playback_.open(test_.device(), settings_), -ENODEV);
    test_.clear_open_errno();
    EXPECT_EQ(playback_.open(test_.device(), settings_), 0);
}

TEST_P(PlaybackPcmTest, UnderrunsOnCommand)
{
    open_running(ramp(1, 4800));
    send("xrun");
    EXPECT_EQ(playback_.write(ramp(1, 10)), -EPIPE);
    EXPECT_EQ(snd_pcm_prepare(playback_.pcm()), 0);
    EXPECT_EQ(playback_.write(ramp(1, 10)), 10);
}

TEST_P(PlaybackPcmTest, ResumesWithTheContentOfItsRing)
{
    open_running(ramp(1, 9600));
    wait_for_pointer(100);
    send("suspend");
    EXPECT_EQ(playback_.write(ramp(1, 10)), -ESTRPIPE);
    const auto frames = PlayedAudio(test_, 1).frames();
    send("noresume 1");
    EXPECT_EQ(snd_pcm_resume(playback_.pcm()), 0);
    EXPECT_EQ(snd_pcm_state(playback_.pcm()), SND_PCM_STATE_SUSPENDED);
    EXPECT_EQ(snd_pcm_resume(playback_.pcm()), 0);
    EXPECT_EQ(snd_pcm_state(playback_.pcm()), SND_PCM_STATE_RUNNING);
    while (PlayedAudio(test_, 1).frames() < frames + 100) {
        advance();
        ASSERT_GE(snd_pcm_avail(playback_.pcm()), 0);
    }
    EXPECT_EQ(PlayedAudio(test_, 1).channel()[frames + 99], static_cast<double>(frames + 100));
}

TEST_P(PlaybackPcmTest, OffersOnlyTheConfiguredRate)
{
    test_.set_rate(44100);
    EXPECT_LT(playback_.open(test_.device(), settings_), 0);
    settings_.rate = 44100;
    EXPECT_EQ(playback_.open(test_.device(), settings_), 0);
}

TEST_P(PlaybackPcmTest, CannotBeOpenedWithAnOpenErrno)
{
    test_.set_open_errno("EBUSY");
    EXPECT_EQ(playback_.open(test_.device(), settings_), -EBUSY);
    test_.clear_open_errno();
    test_.set_at_open("freeze 3600000");
    open_running(ramp(1, 480));
    EXPECT_EQ(playback_.pointer(), 0u);
}

} // namespace
} // namespace jkvm::testing
