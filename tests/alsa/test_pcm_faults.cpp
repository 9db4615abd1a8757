// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests the effect of each fault command of the test PCM on a libasound program.
#include "alsa/pcm_test.h"

#include <poll.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <thread>

namespace jkvm::testing {
namespace {

using Clock = std::chrono::steady_clock;
using PcmFaultTest = PcmTest;

INSTANTIATE_TEST_SUITE_P(Access, PcmFaultTest, ::testing::Bool(),
                         [](const auto &access) { return access.param ? "Mmap" : "ReadWrite"; });

TEST_P(PcmFaultTest, XrunStopsTheStreamUntilPrepared)
{
    open_running();
    send("xrun");
    EXPECT_EQ(snd_pcm_state(capture_.pcm()), SND_PCM_STATE_XRUN);
    EXPECT_EQ(capture_.wait(wait_timeout), POLLIN | POLLERR);
    EXPECT_EQ(capture_.read_until_error(), -EPIPE);
    ASSERT_EQ(capture_.restart(), 0);
    EXPECT_EQ(count_breaks(read_samples(2400), 48000, 997), 0u);
}

TEST_P(PcmFaultTest, SuspendEndsWithResumeAndLosesContent)
{
    open_running();
    auto samples = read_samples(480);
    send("suspend");
    EXPECT_EQ(snd_pcm_state(capture_.pcm()), SND_PCM_STATE_SUSPENDED);
    EXPECT_EQ(capture_.wait(wait_timeout), POLLIN | POLLERR);
    EXPECT_EQ(capture_.read_until_error(), -ESTRPIPE);
    EXPECT_EQ(snd_pcm_resume(capture_.pcm()), 0);
    EXPECT_EQ(snd_pcm_state(capture_.pcm()), SND_PCM_STATE_RUNNING);
    const auto after = read_samples(4800);
    samples.insert(samples.end(), after.begin(), after.end());
    EXPECT_EQ(count_breaks(samples, 48000, 997), 2u);
    EXPECT_EQ(test_.count_log(" prepare"), 1u);
}

TEST_P(PcmFaultTest, SuspendEndsWithPrepare)
{
    open_running();
    send("suspend");
    ASSERT_EQ(capture_.restart(), 0);
    EXPECT_EQ(count_breaks(read_samples(2400), 48000, 997), 0u);
}

TEST_P(PcmFaultTest, UnpluggedDeviceNeverReturns)
{
    open_running();
    send("unplug");
    EXPECT_EQ(snd_pcm_state(capture_.pcm()), SND_PCM_STATE_DISCONNECTED);
    EXPECT_EQ(capture_.wait(wait_timeout), POLLERR | POLLNVAL);
    EXPECT_EQ(capture_.read_until_error(), -ENODEV);
    EXPECT_EQ(snd_pcm_prepare(capture_.pcm()), -ENODEV);

    PcmCapture again;
    EXPECT_EQ(again.open(test_.device(), settings_), -ENODEV);
    EXPECT_EQ(test_.count_log("refused ENODEV"), 1u);
    test_.clear_open_errno();
    EXPECT_EQ(again.open(test_.device(), settings_), 0);

    const auto access =
        GetParam() ? SND_PCM_ACCESS_MMAP_INTERLEAVED : SND_PCM_ACCESS_RW_INTERLEAVED;
    snd_lib_error_set_handler(ignore_error);
    EXPECT_EQ(
        snd_pcm_set_params(capture_.pcm(), SND_PCM_FORMAT_S16_LE, access, 1, 48000, 0, 100'000),
        -ENODEV);
    snd_lib_error_set_handler(nullptr);
}

TEST_P(PcmFaultTest, CommandsWakeABlockedPoll)
{
    open_running();
    freeze_and_drain();
    std::thread sender([this] { test_.send("unplug"); });
    EXPECT_EQ(capture_.wait(wait_timeout), POLLERR | POLLNVAL);
    sender.join();
}

TEST_P(PcmFaultTest, FreezeLeavesTheStreamRunningWithoutSamples)
{
    open_running();
    auto samples = read_samples(480);
    send("freeze 3600000");
    Bytes bytes;
    while (capture_.read(capture_.buffer_size(), bytes) > 0) {
    }
    EXPECT_EQ(capture_.wait(milliseconds(50)), 0);
    EXPECT_EQ(snd_pcm_state(capture_.pcm()), SND_PCM_STATE_RUNNING);
    EXPECT_EQ(snd_pcm_avail(capture_.pcm()), 0);
    send("freeze 30");
    const auto rest = channel_of(bytes, 1);
    const auto after = read_samples(480);
    samples.insert(samples.end(), rest.begin(), rest.end());
    samples.insert(samples.end(), after.begin(), after.end());
    EXPECT_EQ(count_breaks(samples, 48000, 997), 0u);
    EXPECT_TRUE(test_.wait_for_log("thaw", milliseconds(0)));
}

TEST_P(PcmFaultTest, ErrFailsOneRead)
{
    open_running();
    Bytes bytes;
    ASSERT_EQ(capture_.read_all(480, bytes), 0);
    send("err EIO");
    EXPECT_EQ(capture_.read_until_error(), -EIO);
    EXPECT_EQ(test_.count_log("read fails EIO"), 1u);
    EXPECT_EQ(capture_.read_all(480, bytes), 0);
}

TEST_P(PcmFaultTest, ErrsFailsEveryReadUntilItIsReset)
{
    open_running();
    send("errs EBADFD");
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(capture_.read_until_error(), -EBADFD);
    send("errs 0");
    Bytes bytes;
    EXPECT_EQ(capture_.read_all(480, bytes), 0);
}

TEST_P(PcmFaultTest, ErrorOccursWithoutFramesOnlyInReadWriteMode)
{
    open_running();
    freeze_and_drain();
    send("errs EIO");
    const bool mmap = GetParam(); // mmap mode provides real frames only
    EXPECT_EQ(capture_.wait(milliseconds(20)), mmap ? 0 : POLLIN);
    EXPECT_EQ(snd_pcm_avail(capture_.pcm()), mmap ? 0 : 1);
    Bytes bytes;
    if (!mmap) {
        EXPECT_EQ(capture_.read(480, bytes), -EIO);
    }
}

TEST_P(PcmFaultTest, ShortReadsReturnFewFramesAtATimeAndLoseNone)
{
    open_running();
    test_.send("short 7");
    std::vector<double> samples;
    bool was_short = false;
    while (samples.size() < 2000) {
        ASSERT_EQ(capture_.wait(wait_timeout), POLLIN);
        const snd_pcm_sframes_t there = snd_pcm_avail(capture_.pcm());
        EXPECT_LE(there, 7);
        was_short = was_short || there == 7;
        Bytes bytes; // snd_pcm_readi() repeats internally while frames are available
        const snd_pcm_sframes_t count = capture_.read(480, bytes);
        ASSERT_GE(count, 0);
        const auto part = channel_of(bytes, 1);
        samples.insert(samples.end(), part.begin(), part.end());
    }
    EXPECT_TRUE(was_short);
    EXPECT_EQ(count_breaks(samples, 48000, 997), 0u);
}

TEST_P(PcmFaultTest, ShortReadsAreReadyBeforeAPeriodIs)
{
    test_.send("short 7");
    open_running();
    snd_pcm_sframes_t delay = 0;
    while (delay < 7)
        ASSERT_EQ(snd_pcm_delay(capture_.pcm(), &delay), 0);
    send("freeze 3600000");
    EXPECT_EQ(capture_.wait(milliseconds(20)), POLLIN);
    EXPECT_EQ(snd_pcm_avail(capture_.pcm()), 7);
}

TEST_P(PcmFaultTest, ChangesTheToneWithoutAClick)
{
    open_running();
    auto samples = read_samples(480);
    send("freq 500");
    const auto after = read_samples(24000);
    EXPECT_NEAR(measure_frequency(after, 48000, 500), 500, 0.1);
    EXPECT_EQ(count_breaks(after, 48000, 500), 0u);
    EXPECT_LT(std::abs(after.front() - samples.back()), 16384 * 0.14);

    send("amp 0.25");
    const auto soft = read_samples(4800);
    EXPECT_NEAR(*std::max_element(soft.begin(), soft.end()), 8192, 10);
}

TEST_P(PcmFaultTest, DeliversAConstantOnCommand)
{
    open_running();
    send("constant -0.5");
    for (const double sample : read_samples(480))
        ASSERT_EQ(sample, -16384);
    send("constant off");
    EXPECT_EQ(count_breaks(read_samples(480), 48000, 997), 0u);
}

TEST_P(PcmFaultTest, RunsFreeWithoutOverruns)
{
    settings_.buffer_us = 50'000;
    test_.send("srcrate 1e9");
    const auto begin = Clock::now();
    open_running();
    const auto samples = read_samples(snd_pcm_uframes_t{48000} * 20);
    EXPECT_LT(Clock::now() - begin, std::chrono::seconds(10));
    EXPECT_EQ(count_breaks(samples, 48000, 997), 0u);
    EXPECT_EQ(test_.count_log("overrun"), 0u);
}

TEST_P(PcmFaultTest, RunsAtTheTrueRateOfItsSource)
{
    settings_.buffer_us = 2'000'000;
    test_.send("srcrate 96000");
    measure_rate(48000, 96000);
}

TEST_P(PcmFaultTest, DriftsOnCommand)
{
    settings_.buffer_us = 2'000'000;
    test_.send("ppm 500000");
    measure_rate(36000, 72000);
}

TEST_P(PcmFaultTest, GapLosesFramesWithoutAnError)
{
    open_running();
    auto samples = read_samples(480);
    send("gap 100");
    while (snd_pcm_avail(capture_.pcm()) < 1500) { // so that one read spans the gap
    }
    const auto after = read_samples(24000);
    samples.insert(samples.end(), after.begin(), after.end());
    EXPECT_EQ(count_breaks(samples, 48000, 997), 2u);
    // The phase shift shows how many frames were lost.
    const double moved = 997.0 * (24000 + 100) / 48000;
    const double angle = 2 * std::numbers::pi * (moved - std::floor(moved));
    EXPECT_NEAR(samples[24000], 16383.5 * std::sin(angle), 3);
}

TEST_P(PcmFaultTest, EachOpenExecutesItsCommands)
{
    test_.set_at_open("constant -0.5\namp 0.25");
    for (int i = 0; i < 2; i++) {
        open_running();
        for (const double sample : read_samples(480))
            ASSERT_EQ(sample, -16384);
        capture_.close();
    }
    test_.set_at_open("");
    open_running();
    EXPECT_EQ(count_breaks(read_samples(480), 48000, 997), 0u);
}

TEST_P(PcmFaultTest, LogsCommandsWithoutEffect)
{
    ASSERT_EQ(capture_.open(test_.device(), settings_), 0);
    send("xrun");
    EXPECT_EQ(test_.count_log("ignored: the stream is PREPARED"), 1u);
    send("jump 5");
    EXPECT_EQ(test_.count_log("unknown command"), 1u);
    ASSERT_EQ(capture_.start(), 0);
    EXPECT_EQ(count_breaks(read_samples(480), 48000, 997), 0u);
}

TEST_P(PcmFaultTest, OffersOnlyTheNewRateOfTheSource)
{
    open_running();
    test_.set_rate(44100);
    send("errs EBADFD");
    EXPECT_EQ(capture_.read_until_error(), -EBADFD);
    capture_.close();
    EXPECT_EQ(capture_.open(test_.device(), settings_), -EINVAL);
    settings_.rate = 44100;
    EXPECT_EQ(capture_.open(test_.device(), settings_), 0);
}

} // namespace
} // namespace jkvm::testing
