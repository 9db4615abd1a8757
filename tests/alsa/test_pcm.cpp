// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests the capabilities, content and timing of the test PCM through libasound.
#include "alsa/pcm_test.h"

#include <poll.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace jkvm::testing {
namespace {

size_t count_descriptors()
{
    const std::filesystem::directory_iterator all{"/proc/self/fd"};
    return static_cast<size_t>(std::distance(begin(all), end(all)));
}

INSTANTIATE_TEST_SUITE_P(Access, PcmTest, ::testing::Bool(),
                         [](const auto &access) { return access.param ? "Mmap" : "ReadWrite"; });

TEST_P(PcmTest, PlaysAnUnbrokenToneInRealTime)
{
    const auto samples = measure_rate(48000, 48000);
    EXPECT_NEAR(measure_frequency(samples, 48000, 997), 997, 0.1);
    EXPECT_EQ(count_breaks(samples, 48000, 997), 0u);
    EXPECT_NEAR(*std::max_element(samples.begin(), samples.end()), 16384, 10);
    EXPECT_EQ(test_.count_log("overrun"), 0u);
}

TEST_P(PcmTest, DeliversEveryFormat)
{
    struct Case {
        snd_pcm_format_t format;
        size_t bytes;
        size_t low; // offset of the two most significant bytes
    };
    for (const Case &c : {Case{SND_PCM_FORMAT_S16_LE, 2, 0}, Case{SND_PCM_FORMAT_S24_3LE, 3, 1},
                          Case{SND_PCM_FORMAT_S24_LE, 4, 1}, Case{SND_PCM_FORMAT_S32_LE, 4, 2}}) {
        settings_.format = c.format;
        open_running();
        EXPECT_EQ(capture_.frame_bytes(), c.bytes);
        Bytes bytes;
        ASSERT_EQ(capture_.read_all(2400, bytes), 0);
        Bytes high;
        for (size_t i = 0; i < bytes.size(); i += c.bytes)
            high.insert(high.end(), {bytes[i + c.low], bytes[i + c.low + 1]});
        EXPECT_EQ(count_breaks(channel_of(high, 1), 48000, 997), 0u)
            << snd_pcm_format_name(c.format);
    }
}

TEST_P(PcmTest, LoopsAFileFromItsStart)
{
    const std::string path = test_.directory() + "/ramp.wav";
    std::string wav("RIFF\0\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x80\x3e\0\0\0\x7d\0\0\2\0\x10\0", 36);
    constexpr int frames = 1001; // not a multiple of a period
    wav += "data";
    for (const unsigned byte : {frames * 2 % 256, frames * 2 / 256, 0, 0})
        wav += static_cast<char>(byte);
    for (int i = 0; i < frames; i++)
        wav += {static_cast<char>(i % 256), static_cast<char>(i / 256)};
    std::ofstream{path, std::ios::binary} << wav;

    const TestPcm file{{.file = path}};
    settings_.rate = 16000;
    EXPECT_EQ(capture_.open(file.device(), {.mmap = settings_.mmap, .rate = 48000}), -EINVAL);
    for (const unsigned channels : {1u, 2u}) { // mono files are also offered as stereo
        settings_.channels = channels;
        ASSERT_EQ(capture_.open(file.device(), settings_), 0);
        capture_.start();
        Bytes bytes;
        ASSERT_EQ(capture_.read_all(4000, bytes), 0);
        for (unsigned c = 0; c < channels; c++) {
            const auto samples = channel_of(bytes, channels, c);
            for (size_t i = 0; i < samples.size(); i++)
                ASSERT_EQ(samples[i], i % frames) << i;
        }
    }
    settings_.channels = 3;
    EXPECT_EQ(capture_.open(file.device(), settings_), -EINVAL);
}

TEST_P(PcmTest, OverrunsAReaderThatIsTooSlow)
{
    open_running();
    const auto before = read_samples(100);
    EXPECT_EQ(capture_.wait_for_error(wait_timeout), SND_PCM_STATE_XRUN);
    EXPECT_EQ(capture_.wait(wait_timeout), POLLIN | POLLERR);
    EXPECT_EQ(snd_pcm_avail_update(capture_.pcm()), -EPIPE);
    EXPECT_EQ(capture_.read_until_error(), -EPIPE);
    EXPECT_EQ(test_.count_log("overrun"), 1u);

    ASSERT_EQ(capture_.restart(), 0);
    auto samples = read_samples(480);
    EXPECT_EQ(count_breaks(samples, 48000, 997), 0u);
    // The content during the interruption is lost.
    samples.insert(samples.begin(), before.begin(), before.end());
    EXPECT_EQ(count_breaks(samples, 48000, 997), 2u);
}

TEST_P(PcmTest, KeepsRunningWithoutAStopThreshold)
{
    settings_.buffer_us = 20'000;
    ASSERT_EQ(capture_.open(test_.device(), settings_), 0);
    snd_pcm_sw_params_t *params = nullptr;
    snd_pcm_sw_params_alloca(&params);
    snd_pcm_sw_params_current(capture_.pcm(), params);
    snd_pcm_uframes_t boundary = 0;
    snd_pcm_sw_params_get_boundary(params, &boundary);
    snd_pcm_sw_params_set_stop_threshold(capture_.pcm(), params, boundary);
    snd_pcm_sw_params_set_avail_min(capture_.pcm(), params, 3000); // three buffers
    ASSERT_EQ(snd_pcm_sw_params(capture_.pcm(), params), 0);
    capture_.start();
    EXPECT_EQ(capture_.wait(wait_timeout), POLLIN);
    EXPECT_GE(snd_pcm_avail(capture_.pcm()), 3000);
    EXPECT_EQ(snd_pcm_state(capture_.pcm()), SND_PCM_STATE_RUNNING);
}

TEST_P(PcmTest, WakesUpAtTheThreshold)
{
    open_running();
    freeze_and_drain();
    EXPECT_EQ(capture_.wait(milliseconds(20)), 0);
    send("freeze 0");
    EXPECT_EQ(capture_.wait(wait_timeout), POLLIN);
    const snd_pcm_sframes_t there = snd_pcm_avail(capture_.pcm());
    EXPECT_GE(there, 480);
    // The descriptor stays readable as long as a period is available.
    Bytes bytes;
    send("freeze 7200000");
    const auto left = static_cast<snd_pcm_uframes_t>(snd_pcm_avail(capture_.pcm()));
    capture_.read(left - 480, bytes);
    EXPECT_EQ(capture_.wait(milliseconds(20)), POLLIN);
    capture_.read(1, bytes);
    EXPECT_EQ(capture_.wait(milliseconds(20)), 0);
}

TEST_P(PcmTest, LetsAnIdleReaderSleep)
{
    ASSERT_EQ(capture_.open(test_.device(), settings_), 0);
    EXPECT_FALSE(capture_.wakes_up(milliseconds(20))) << "before the start";
    ASSERT_EQ(capture_.start(), 0);
    freeze_and_drain();
    EXPECT_EQ(capture_.wait(milliseconds(20)), 0);
    EXPECT_FALSE(capture_.wakes_up(milliseconds(20))) << "with no frames to read";
}

TEST_P(PcmTest, KeepsTheToneAtEveryRate)
{
    settings_.rate = 16000;
    open_running();
    const auto samples = read_samples(4000);
    EXPECT_NEAR(measure_frequency(samples, 16000, 997), 997, 0.1);
    EXPECT_EQ(count_breaks(samples, 16000, 997), 0u);
}

TEST_P(PcmTest, ReportsAvailAndDelay)
{
    open_running();
    ASSERT_EQ(capture_.wait(wait_timeout), POLLIN);
    send("freeze 3600000");
    const snd_pcm_sframes_t there = snd_pcm_avail(capture_.pcm());
    snd_pcm_sframes_t delay = 0;
    EXPECT_EQ(snd_pcm_delay(capture_.pcm(), &delay), 0);
    EXPECT_EQ(delay, there);
    Bytes bytes;
    EXPECT_EQ(capture_.read(100, bytes), 100);
    EXPECT_EQ(snd_pcm_avail(capture_.pcm()), there - 100);
    EXPECT_EQ(snd_pcm_delay(capture_.pcm(), &delay), 0);
    EXPECT_EQ(delay, there - 100);
}

TEST_P(PcmTest, ContentCanContinueAcrossReopens)
{
    test_.continue_content();
    open_running();
    read_samples(480);
    open_running();
    EXPECT_EQ(test_.count_log("start at=0"), 0u);
    EXPECT_EQ(test_.count_log("start at="), 2u);
}

TEST_P(PcmTest, ContentRestartsByDefault)
{
    open_running();
    const auto first = read_samples(480);
    open_running();
    EXPECT_EQ(read_samples(480), first);
    EXPECT_EQ(test_.count_log("start at=0"), 2u);
}

TEST_P(PcmTest, StopsAndStartsAgain)
{
    open_running();
    auto samples = read_samples(480);
    ASSERT_EQ(snd_pcm_drop(capture_.pcm()), 0);
    ASSERT_EQ(capture_.restart(), 0);
    EXPECT_EQ(count_breaks(read_samples(480), 48000, 997), 0u);
    EXPECT_EQ(test_.count_log(" stop"), 1u);

    send("freeze 3600000");
    ASSERT_EQ(snd_pcm_drop(capture_.pcm()), 0);
    ASSERT_EQ(capture_.restart(), 0);
    EXPECT_EQ(snd_pcm_avail(capture_.pcm()), 0)
        << "frames of the previous stream must be discarded";
    EXPECT_LE(snd_pcm_drain(capture_.pcm()), 0);
}

TEST_P(PcmTest, LeaksNothingOverHundredsOfOpens)
{
    open_running();
    capture_.close();
    const size_t before = count_descriptors();
    for (int i = 0; i < 300; i++) {
        if (i % 3 == 0)
            test_.set_open_errno("EBUSY");
        EXPECT_EQ(capture_.open(test_.device(), settings_), i % 3 == 0 ? -EBUSY : 0);
        if (i % 3 == 0)
            test_.clear_open_errno();
        else
            capture_.start();
        capture_.close();
    }
    EXPECT_EQ(count_descriptors(), before);
    EXPECT_EQ(test_.count_log(" opened nonblock"), 201u);
    EXPECT_EQ(test_.count_log(" closed"), 201u);
    EXPECT_EQ(test_.count_log(" refused EBUSY"), 100u);
}

TEST(PcmOffer, IncludesAllStandardRatesAndChannelCounts)
{
    const TestPcm test;
    PcmCapture capture;
    for (const unsigned rate : {8000u, 11025u, 16000u, 22050u, 24000u, 32000u, 44100u, 48000u,
                                88200u, 96000u, 176400u, 192000u})
        EXPECT_EQ(capture.open(test.device(), {.rate = rate}), 0) << rate;
    EXPECT_EQ(capture.open(test.device(), {.rate = 47999}), -EINVAL);
    for (unsigned channels = 1; channels <= 8; channels++)
        EXPECT_EQ(capture.open(test.device(), {.channels = channels}), 0) << channels;
    EXPECT_EQ(capture.open(test.device(), {.channels = 9}), -EINVAL);
    EXPECT_EQ(capture.open(test.device(), {.format = SND_PCM_FORMAT_S16_BE}), -EINVAL);
}

TEST(PcmOffer, IsNarrowedByArgumentsAndByTheDirectory)
{
    TestPcm test{{.rate = 44100, .channels = 1, .format = "S32_LE"}};
    const CaptureSettings fits{.rate = 44100, .channels = 1, .format = SND_PCM_FORMAT_S32_LE};
    PcmCapture capture;
    EXPECT_EQ(capture.open(test.device(), fits), 0);
    for (auto change :
         {+[](CaptureSettings &s) { s.rate = 48000; }, +[](CaptureSettings &s) { s.channels = 2; },
          +[](CaptureSettings &s) { s.format = SND_PCM_FORMAT_S16_LE; }}) {
        CaptureSettings settings = fits;
        change(settings);
        EXPECT_EQ(capture.open(test.device(), settings), -EINVAL);
    }
    test.set_channels(6);
    test.set_format("S24_LE S24_3LE");
    EXPECT_EQ(capture.open(test.device(), fits), -EINVAL);
    for (const auto format : {SND_PCM_FORMAT_S24_LE, SND_PCM_FORMAT_S24_3LE})
        EXPECT_EQ(capture.open(test.device(), {.rate = 44100, .channels = 6, .format = format}), 0);
    test.set_format("S24");
    EXPECT_EQ(capture.open(test.device(), fits), -EINVAL);
    EXPECT_EQ(test.count_log("refused EINVAL"), 1u);
}

TEST(PcmOffer, UsesTheDirectoryFromTheEnvironment)
{
    const TestPcm test;
    setenv("JKVM_TEST_PCM_DIR", test.directory().c_str(), 1);
    PcmCapture capture;
    EXPECT_EQ(capture.open("jkvmtest"), 0);
    unsetenv("JKVM_TEST_PCM_DIR");
    EXPECT_EQ(test.count_log("opened"), 1u);
    EXPECT_EQ(capture.open("jkvmtest"), 0);
    EXPECT_EQ(test.count_log("opened"), 1u);
}

TEST(PcmOffer, CanBeConvertedByPlug)
{
    const TestPcm test{{.rate = 48000, .channels = 2, .format = "S32_LE"}};
    PcmCapture capture;
    ASSERT_EQ(capture.open("plug:SLAVE='" + test.device() + "'", {.rate = 16000, .channels = 1}),
              0);
    capture.start();
    Bytes bytes;
    ASSERT_EQ(capture.read_all(8000, bytes), 0);
    EXPECT_NEAR(measure_frequency(channel_of(bytes, 1), 16000, 997), 997, 0.5);
}

TEST(PcmOffer, RefusesAFileItCannotPlay)
{
    const TestPcm test{{.file = "/etc/hostname"}};
    snd_lib_error_set_handler(ignore_error);
    PcmCapture capture;
    EXPECT_EQ(capture.open(test.device()), -EINVAL);
    snd_lib_error_set_handler(nullptr);
    EXPECT_EQ(test.count_log("refused EINVAL"), 1u);
}

TEST(PcmOffer, IsListed)
{
    void **hints = nullptr;
    ASSERT_EQ(snd_device_name_hint(-1, "pcm", &hints), 0);
    bool listed = false;
    for (void **hint = hints; *hint; hint++) {
        char *name = snd_device_name_get_hint(*hint, "NAME");
        listed = listed || (name && std::string(name) == "jkvmtest");
        std::free(name);
    }
    snd_device_name_free_hint(hints);
    EXPECT_TRUE(listed);
}

} // namespace
} // namespace jkvm::testing
