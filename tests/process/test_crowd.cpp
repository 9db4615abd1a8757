// SPDX-License-Identifier: LGPL-2.1-or-later
// Many clients of one process: listeners, talkers that wait in line, and a client that is stopped.
// Each second a random one is killed and started again. The others lose nothing.
//
// JKVM_CROWD_SECONDS is the duration, 8 s by default.
#include "element_process.h"
#include "fault_counts.h"
#include "printed_stats.h"
#include "support/footprint.h"
#include "support/program.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace jkvm::testing {
namespace {

constexpr std::size_t listeners = is_sanitized ? 4 : 16;
constexpr std::size_t talkers = is_sanitized ? 2 : 4;
constexpr const char *sink_stats = "x-jkvm-ipcsink-stats,";
constexpr const char *src_stats = "x-jkvm-ipcsrc-stats,";

int seconds()
{
    const char *text = std::getenv("JKVM_CROWD_SECONDS"); // NOLINT(concurrency-mt-unsafe)
    return text != nullptr ? static_cast<int>(std::strtol(text, nullptr, 10)) : 8;
}

class Crowd : public ::testing::Test {
protected:
    using ProgramPtr = std::unique_ptr<Program>;

    Crowd()
    {
        EXPECT_TRUE(server_.wait_for_output("new-state=(GstState)playing")) << server_.output();
        for (std::size_t i = 0; i < listeners + talkers; ++i)
            clients_.push_back(start(i));
    }

    [[nodiscard]] static bool is_listener(std::size_t client) { return client < listeners; }
    [[nodiscard]] ProgramPtr start(std::size_t client) const
    {
        return is_listener(client)
                   ? run("jkvmipcsrc stats-interval=1000 socket-path=" + output_ + " ! fakesink")
                   : run("audiotestsrc is-live=true samplesperbuffer=960 ! opusenc ! jkvmipcsink "
                         "direction=microphone max-queue-time=2000 stats-interval=1000 "
                         "socket-path=" +
                         microphone_);
    }
    /// Waits for the next statistics of the client. Expects that it was connected all the time and
    /// lost nothing.
    void expect_healthy(std::size_t client)
    {
        auto &program = *clients_[client];
        do { // it may have been started a moment ago
            ASSERT_NO_FATAL_FAILURE(wait_for_reports(program, 1));
        } while (last_counter(program, "connects") == 0);
        EXPECT_EQ(last_counter(program, "connects"), 1u) << "client " << client;
        EXPECT_EQ(last_counter(program, is_listener(client) ? "lost" : "dropped"), 0u)
            << "client " << client;
    }
    void expect_all_healthy()
    {
        for (std::size_t client = 0; client < clients_.size(); ++client)
            ASSERT_NO_FATAL_FAILURE(expect_healthy(client));
    }
    void kill_and_restart(std::size_t client)
    {
        clients_[client]->send(SIGKILL);
        clients_[client]->wait();
        clients_[client] = start(client);
    }

    Program &server() { return server_; }

private:
    [[nodiscard]] static ProgramPtr run(const std::string &pipeline)
    {
        return std::make_unique<Program>(gst_launch("-m " + pipeline));
    }

    TemporaryDirectory directory_;
    std::string output_ = directory_.file("output.sock");
    std::string microphone_ = directory_.file("microphone.sock");
    // The queue of a client is longer than its delays on a busy machine.
    Program server_{gst_launch(
        "-m audiotestsrc is-live=true samplesperbuffer=960 ! opusenc ! jkvmipcsink max-clients=32 "
        "max-queue-time=2000 stats-interval=1000 socket-path=" +
        output_ + " jkvmipcsrc direction=microphone client-policy=queue stats-interval=1000 " +
        "socket-path=" + microphone_ + " ! fakesink")};
    std::vector<ProgramPtr> clients_;
};

TEST_F(Crowd, HealthyClientsLoseNothingWhileOthersAreKilled)
{
    std::mt19937 random(1); // NOLINT(cert-msc51-cpp): for reproducible choices
    std::uniform_int_distribution<std::size_t> any_client(0, listeners + talkers - 1);
    std::uniform_int_distribution<int> any_moment(0, 300); // ms
    expect_all_healthy();
    const auto stopped = start(0);
    ASSERT_TRUE(stopped->wait_for_output(src_stats)) << stopped->output();
    stopped->send(SIGSTOP);
    ASSERT_TRUE(server().wait_for_output("reason=(string)slow")) << server().output();

    const auto descriptors = descriptors_of(server().pid());
    long memory = memory_of(server().pid());
    const int count = seconds();
    for (int second = 0; second < count; ++second) {
        ASSERT_NO_FATAL_FAILURE(wait_for_reports(server(), 1, sink_stats));
        std::this_thread::sleep_for(std::chrono::milliseconds(any_moment(random)));
        const auto victim = any_client(random);
        ASSERT_NO_FATAL_FAILURE(kill_and_restart(victim));
        // One client per second: a report of each is read before its pipe is full.
        const auto inspected = static_cast<std::size_t>(second) % (listeners + talkers);
        ASSERT_NO_FATAL_FAILURE(expect_healthy(inspected));
        if (second == count / 10)
            memory = memory_of(server().pid());
    }
    ASSERT_NO_FATAL_FAILURE(expect_all_healthy());
    ASSERT_NO_FATAL_FAILURE(wait_for_reports(server(), 1, src_stats));
    EXPECT_TRUE(eventually([&] { return descriptors_of(server().pid()) <= descriptors; }))
        << descriptors_of(server().pid()) << ", not " << descriptors;
    const auto growth = memory_of(server().pid()) - memory;
    EXPECT_LE(growth, memory_tolerance);
    std::cout << count << " clients killed: memory grew by " << growth << " KiB\n";
}

} // namespace
} // namespace jkvm::testing
