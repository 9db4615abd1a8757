// SPDX-License-Identifier: LGPL-2.1-or-later
// Runs complete gst-launch-1.0 pipelines while one of the processes is stopped or killed.
#include "fault_counts.h"
#include "printed_stats.h"
#include "support/program.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>

namespace jkvm::testing {
namespace {

constexpr auto stats = "application/x-jkvm-ipcsrc-stats";

class Listeners : public ::testing::Test {
protected:
    [[nodiscard]] std::unique_ptr<Program> listen() const
    {
        return std::make_unique<Program>(
            gst_launch("-m jkvmipcsrc stats-interval=1000 socket-path=" + path_ + " ! fakesink"));
    }

    TemporaryDirectory directory_;
    std::string path_ = directory_.file("a.sock");
};

TEST_F(Listeners, StoppedOneCausesNoLossForEightOthersAndResumesWithNewestFrame)
{
    // On a busy machine a listener may be scheduled later than usual. Half of this time, 25 frames,
    // may be in the socket buffers of the stopped listener.
    Program sender(gst_launch("-m audiotestsrc is-live=true samplesperbuffer=960 ! opusenc ! "
                              "jkvmipcsink max-clients=9 max-queue-time=1000 socket-path=" +
                              path_));
    std::array<std::unique_ptr<Program>, 8> listeners;
    for (auto &listener : listeners)
        listener = listen();
    const auto stopped = listen();
    ASSERT_TRUE(stopped->wait_for_output(stats)) << stopped->output();
    stopped->send(SIGSTOP);
    for (int second = 1; second <= seconds_of_listening; ++second) {
        for (auto &listener : listeners)
            ASSERT_TRUE(listener->wait_for_output(stats, second)) << listener->output();
    }
    for (auto &listener : listeners) {
        EXPECT_EQ(last_counter(*listener, "lost"), 0u);
        EXPECT_EQ(last_counter(*listener, "connects"), 1u);
        EXPECT_GE(last_counter(*listener, "frames"), 50u * (seconds_of_listening - 3));
    }
    ASSERT_TRUE(sender.wait_for_output("reason=(string)slow")) << sender.output();
    EXPECT_NE(sender.output().find("pid=(int)" + std::to_string(stopped->pid()),
                                   sender.output().find("reason=(string)slow")),
              std::string::npos)
        << sender.output();

    stopped->send(SIGCONT);
    ASSERT_TRUE(stopped->wait_for_output("reason=(string)connected", 2)) << stopped->output();
    const auto at = stopped->output().rfind("reason=(string)connected");
    for (int seen = 1; stopped->output().find(stats, at) == std::string::npos; ++seen)
        ASSERT_TRUE(stopped->wait_for_output(stats, seen)) << stopped->output();
    EXPECT_EQ(last_counter(*stopped, "connects"), 2u);
    EXPECT_LE(last_counter(*stopped, "implausible-timestamps"), 25u) << "frames older than 10 s";
    EXPECT_LT(last_counter(*stopped, "latency-current"), 1'000'000'000u);
}

using Recording = Listeners;

/// Returns the duration of a WAV file (s) of 48 kHz, stereo, 16 bits.
double length_of_wav(const std::string &path)
{
    return static_cast<double>(std::filesystem::file_size(path)) / (48000 * 2 * 2);
}

/// Returns the duration of an Ogg Opus file (s) with one packet per page, from the end of the first
/// packet to the end of the last one. The granule position is at byte 6 of a page and counts
/// samples at 48 kHz; it is 0 in header pages.
double length_of_ogg(const std::string &path)
{
    std::ifstream file(path, std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)), {});
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    for (auto at = bytes.find("OggS"); at != std::string::npos; at = bytes.find("OggS", at + 1)) {
        last = 0;
        for (unsigned i = 0; i < 8; ++i)
            last |= std::uint64_t{static_cast<unsigned char>(bytes[at + 6 + i])} << (8 * i);
        if (first == 0)
            first = last;
    }
    return static_cast<double>(last - first) / 48000;
}

TEST_F(Recording, HasFullLengthAfterServerWasKilledThreeTimes)
{
    const auto receive_with = [this](const std::string &rest) {
        return gst_launch("-m -e jkvmipcsrc stats-interval=20 socket-path=" + path_ + " ! " + rest);
    };
    const auto wav = directory_.file("a.wav");
    const auto ogg = directory_.file("a.ogg");
    Program decoder(
        receive_with("opusdec plc=true ! audioconvert ! audio/x-raw,format=S16LE,channels=2 ! "
                     "audiorate skip-to-first=true ! wavenc ! filesink location=" +
                     wav));
    Program muxer(receive_with("oggmux max-page-delay=1 ! filesink location=" + ogg));
    const std::array receivers{&decoder, &muxer};
    // Counts from the current output: one receiver may have printed more about the last sender.
    const auto expect_output_of_both = [&](const std::string &text, int count) {
        for (auto *receiver : receivers)
            ASSERT_TRUE(receiver->wait_for_output(text, receiver->occurrences(text) + count))
                << receiver->output();
    };
    std::optional<Program> sender;
    const auto expect_audio = [&] {
        sender.emplace(gst_launch("audiotestsrc is-live=true samplesperbuffer=960 ! opusenc ! "
                                  "jkvmipcsink socket-path=" +
                                  path_));
        expect_output_of_both(stats, 5);
    };
    expect_audio();
    const auto start = std::chrono::steady_clock::now();
    for (int outage = 1; outage <= 3; ++outage) {
        sender->send(SIGKILL);
        sender->wait();
        // At most one of these messages is posted per second, so an outage lasts at least a second.
        expect_output_of_both("reason=(string)unreachable", 2);
        expect_audio();
    }
    const std::chrono::duration<double> recorded = std::chrono::steady_clock::now() - start;
    // Both are stopped at once, because a sanitizer delays the end of a program.
    for (const auto *receiver : receivers)
        receiver->send(SIGINT);
    for (auto *receiver : receivers)
        EXPECT_EQ(receiver->wait(), 0) << receiver->output();
    constexpr double tolerance = 0.9; // s; less than one outage
    EXPECT_GT(recorded.count(), 3.0);
    EXPECT_NEAR(length_of_wav(wav), recorded.count(), tolerance);
    EXPECT_NEAR(length_of_ogg(ogg), recorded.count(), tolerance);
}

} // namespace
} // namespace jkvm::testing
