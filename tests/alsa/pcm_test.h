// SPDX-License-Identifier: LGPL-2.1-or-later
// Provides the fixture for tests of the test PCM: a PCM and a capture program, in both access
// modes.
//
// Tests raise the speed of the source instead of waiting, and freeze its clock instead of sleeping.
#pragma once

#include "alsa/pcm_capture.h"
#include "support/alsa_device.h"
#include "support/tone.h"

#include <gtest/gtest.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

namespace jkvm::testing {

using std::chrono::milliseconds;
using Bytes = PcmCapture::Bytes;

constexpr milliseconds wait_timeout{10'000};

/// Discards libasound's messages for calls that are expected to fail.
inline void ignore_error(const char *, int, const char *, int, const char *, ...) {}

/// Runs every test in read/write mode and in mmap mode.
class PcmTest : public ::testing::TestWithParam<bool> {
protected:
    PcmTest() { settings_.mmap = GetParam(); }

    // Frees the process-wide configuration cache, which would be reported as a leak.
    static void TearDownTestSuite() { snd_config_update_free_global(); }

    void open_running()
    {
        int error = capture_.open(test_.device(), settings_);
        if (error == 0)
            error = capture_.start();
        if (error < 0) // ends the test before it uses the PCM
            throw std::runtime_error(snd_strerror(error));
    }

    std::vector<double> read_samples(snd_pcm_uframes_t frames)
    {
        Bytes bytes;
        EXPECT_EQ(capture_.read_all(frames, bytes), 0);
        return channel_of(bytes, settings_.channels);
    }

    /// Starts the stream, reads frames and expects this rate. Interruptions of this process
    /// before and after the clock is read are allowed for.
    std::vector<double> measure_rate(snd_pcm_uframes_t frames, double rate)
    {
        using Clock = std::chrono::steady_clock;
        constexpr double tolerance = 0.05;
        const auto before_start = Clock::now();
        open_running();
        const auto after_start = Clock::now();
        auto samples = read_samples(frames);
        const auto before_end = Clock::now();
        snd_pcm_sframes_t delay = 0;
        EXPECT_EQ(snd_pcm_delay(capture_.pcm(), &delay), 0);
        const auto after_end = Clock::now();
        const std::chrono::duration<double> longest = after_end - before_start;
        const std::chrono::duration<double> shortest = before_end - after_start;
        const double captured = static_cast<double>(frames) + static_cast<double>(delay);
        EXPECT_LE(captured / longest.count(), rate * (1 + tolerance));
        EXPECT_GE(captured / shortest.count(), rate * (1 - tolerance));
        return samples;
    }

    /// Sends a command to the running stream and waits until it has been executed.
    void send(const char *command)
    {
        test_.send(command);
        snd_pcm_avail(capture_.pcm());
        ASSERT_EQ(test_.count_log(std::string("cmd ") + command), 1u);
    }

    /// Reads all frames captured before the clock was stopped.
    void freeze_and_drain()
    {
        send("freeze 3600000");
        Bytes bytes;
        while (capture_.read(capture_.buffer_size(), bytes) > 0) {
        }
    }

    CaptureSettings settings_{.channels = 1};
    TestPcm test_;
    PcmCapture capture_;
};

} // namespace jkvm::testing
