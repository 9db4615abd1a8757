// SPDX-License-Identifier: LGPL-2.1-or-later
// Runs the examples of docs/embedding.md together, as a user would.
#include "support/alsa_device.h"
#include "support/program.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>

namespace jkvm::testing {
namespace {

/// Returns the value of an environment variable that meson sets.
std::string setting(const char *name)
{
    const char *value = std::getenv(name);
    return value != nullptr ? value : "";
}

class Embedding : public ::testing::Test {
protected:
    /// Returns the command that runs capture.py. The sanitizer's library of the plugins has to be
    /// loaded first; it would take the memory that Python keeps until its end for leaks.
    [[nodiscard]] std::vector<std::string> capture_command() const
    {
        std::vector<std::string> command{"env"};
        if (const auto library = sanitizer_library(); !library.empty()) {
            command.push_back("LD_PRELOAD=" + library + " libstdc++.so.6");
            command.push_back("ASAN_OPTIONS=" + setting("ASAN_OPTIONS") + ":detect_leaks=0");
        }
        command.insert(command.end(), {"/usr/bin/python3", setting("JKVM_EXAMPLES") + "/capture.py",
                                       pcm_.device(), path_});
        return command;
    }

    TestPcm pcm_;
    TemporaryDirectory directory_;
    std::string path_ = directory_.file("a.sock");
    Program capture_{capture_command()};
};

TEST_F(Embedding, CapturesInPythonAndFollowsSignals)
{
    ASSERT_TRUE(capture_.wait_for_output("device: running\n")) << capture_.output();
    capture_.send(SIGUSR1);
    ASSERT_TRUE(capture_.wait_for_output("mute: True\n")) << capture_.output();
    capture_.send(SIGUSR1);
    ASSERT_TRUE(capture_.wait_for_output("mute: False\n")) << capture_.output();
    capture_.send(SIGUSR2);
    ASSERT_TRUE(capture_.wait_for_output("quality: high\n")) << capture_.output();
    ASSERT_TRUE(capture_.wait_for_output("bitrate: 192000\n")) << capture_.output();
    pcm_.send("unplug");
    ASSERT_TRUE(capture_.wait_for_output("device: unplugged\n")) << capture_.output();
    capture_.send(SIGINT);
    EXPECT_EQ(capture_.wait(), 0) << capture_.output();
    EXPECT_EQ(capture_.occurrences("frames: "), 1) << capture_.output();
}

TEST_F(Embedding, RecordsInCAndRequestsAQuality)
{
    ASSERT_TRUE(capture_.wait_for_output("bitrate: 96000\n")) << capture_.output();
    const auto file = directory_.file("a.ogg");
    Program record{{setting("JKVM_RECORD"), path_, file, "2", "low"}};
    ASSERT_TRUE(capture_.wait_for_output("bitrate: 32000\n")) << capture_.output();
    EXPECT_EQ(record.wait(), 0) << record.output();
    EXPECT_NE(record.output().find("link: connected\n"), std::string::npos) << record.output();
    const auto frames = record.output().find("frames: ");
    ASSERT_NE(frames, std::string::npos) << record.output();
    EXPECT_GE(std::stoi(record.output().substr(frames + 8)), 10) << record.output();
    EXPECT_GT(std::filesystem::file_size(file), 2000u);
    // The request ends with the connection.
    ASSERT_TRUE(capture_.wait_for_output("client: closed\n")) << capture_.output();
    ASSERT_TRUE(capture_.wait_for_output("bitrate: 96000\n", 2)) << capture_.output();
}

TEST_F(Embedding, PrintsTheStateOfTheLinkInCpp)
{
    Program watch{{setting("JKVM_WATCH_LINK"), path_}};
    EXPECT_TRUE(watch.wait_for_output("jkvm-link, reason=(string)connected")) << watch.output();
    capture_.send(SIGKILL);
    EXPECT_TRUE(watch.wait_for_output("jkvm-link, reason=(string)closed")) << watch.output();
}

} // namespace
} // namespace jkvm::testing
