// SPDX-License-Identifier: LGPL-2.1-or-later
// Several processes compete for an end that serves only the newest client, or for more places than
// there are. They run gst-launch-1.0 and reconnect automatically.
#include "element_process.h"
#include "printed_stats.h"
#include "support/awake_time.h"
#include "support/program.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

namespace jkvm::testing {
namespace {

using namespace std::chrono_literals;

class Competition : public ::testing::Test {
protected:
    using ProgramPtr = std::unique_ptr<Program>;

    [[nodiscard]] ProgramPtr run(const std::string &pipeline) const
    {
        return std::make_unique<Program>(gst_launch("-m " + pipeline));
    }
    [[nodiscard]] ProgramPtr run_sender(const std::string &properties) const
    {
        auto sender = run("audiotestsrc is-live=true samplesperbuffer=960 ! opusenc ! jkvmipcsink "
                          "stats-interval=500 socket-path=" +
                          path_ + " " + properties);
        EXPECT_TRUE(sender->wait_for_output("new-state=(GstState)playing"));
        return sender;
    }
    /// The queue is longer than the delays of a listener on a busy machine.
    static constexpr const char *patient = "max-queue-time=2000";
    [[nodiscard]] std::string listener() const
    {
        return "jkvmipcsrc stats-interval=500 socket-path=" + path_ + " ! fakesink ";
    }
    /// Kills a client and expects that `server` prints `text` once more within 500 ms.
    static void kill_and_expect(Program &killed, Program &server, const std::string &text)
    {
        const auto count = server.occurrences(text);
        const AwakeTime time;
        killed.send(SIGKILL);
        ASSERT_TRUE(server.wait_for_output(text, count + 1)) << server.output();
        const std::chrono::duration<double> elapsed = time.elapsed();
        RecordProperty("ms_to_take_over", static_cast<int>(1000 * elapsed.count()));
        EXPECT_LT(elapsed.count(), 0.5) << "seconds";
    }

    TemporaryDirectory directory_;
    std::string path_ = directory_.file("a.sock");
};

/// Two talkers and a receiver that serves the first one.
class TalkerCompetition : public Competition {
protected:
    void run_receiver(const std::string &properties)
    {
        receiver_ = run("jkvmipcsrc direction=microphone stats-interval=500 socket-path=" + path_ +
                        " " + properties + " ! fakesink");
        ASSERT_TRUE(receiver_->wait_for_output("new-state=(GstState)playing"));
    }
    void run_first()
    {
        first_ = run_sender("direction=microphone");
        ASSERT_TRUE(receiver_->wait_for_output(connected)) << receiver_->output();
    }
    /// Waits until the second talker has printed `result`.
    void run_second(const std::string &result)
    {
        second_ = run_sender("direction=microphone");
        ASSERT_TRUE(second_->wait_for_output(result)) << second_->output();
    }

    static constexpr const char *connected = "jkvm-link, reason=(string)connected";
    ProgramPtr receiver_;
    ProgramPtr first_;
    ProgramPtr second_;
};

TEST_F(Competition, NewestListenerKeepsTheEndWhileItLives)
{
    const auto sender = run_sender(std::string("dialect=v2 client-policy=replace ") + patient);
    const std::string added = "jkvm-client, reason=(string)added";
    const auto displaced = run(listener());
    ASSERT_TRUE(sender->wait_for_output(added)) << sender->output();
    wait_for_reports(*displaced, 3); // more than a second, the interval between equal messages
    const auto newest = run(listener());
    ASSERT_TRUE(sender->wait_for_output(added, 2)) << sender->output();
    ASSERT_TRUE(displaced->wait_for_output("jkvm-link, reason=(string)replaced"))
        << displaced->output();

    wait_for_reports(*newest, 8);
    EXPECT_EQ(last_counter(*newest, "connects"), 1u);
    EXPECT_EQ(last_counter(*newest, "lost"), 0u);
    wait_for_reports(*sender, 1);
    EXPECT_EQ(last_counter(*sender, "connects"), 2u) << "more than one takeover";
    EXPECT_LE(last_counter(*sender, "rejects"), 20u) << "the pauses did not grow";

    kill_and_expect(*newest, *sender, added);
    wait_for_reports(*displaced, 2);
}

TEST_F(TalkerCompetition, NewestKeepsTheEndWhileItLives)
{
    run_receiver("client-policy=replace");
    run_first();
    wait_for_reports(*receiver_, 3); // more than a second, the interval between equal messages
    run_second("jkvm-client, reason=(string)added");
    ASSERT_TRUE(receiver_->wait_for_output(connected, 2)) << receiver_->output();
    ASSERT_TRUE(first_->wait_for_output("jkvm-link, reason=(string)replaced")) << first_->output();

    wait_for_reports(*receiver_, 8);
    wait_for_reports(*second_, 1);
    EXPECT_EQ(last_counter(*receiver_, "connects"), 2u) << "more than one takeover";
    EXPECT_LE(last_counter(*receiver_, "rejects"), 20u) << "the pauses did not grow";
    EXPECT_EQ(last_counter(*second_, "connects"), 1u);
    EXPECT_EQ(last_counter(*second_, "dropped"), 0u);

    kill_and_expect(*second_, *receiver_, connected);
    wait_for_reports(*receiver_, 2);
}

TEST_F(TalkerCompetition, TalkersTakeTurnsInAQueue)
{
    run_receiver("client-policy=queue");
    run_first();
    run_second("jkvm-client, reason=(string)added");

    // Longer than 2 s, after which a sender disconnects a peer that does not read.
    wait_for_reports(*receiver_, 6);
    wait_for_reports(*second_, 1);
    EXPECT_EQ(last_counter(*receiver_, "connects"), 1u);
    EXPECT_EQ(last_counter(*receiver_, "lost"), 0u);
    EXPECT_EQ(last_counter(*second_, "connects"), 1u);
    EXPECT_EQ(last_counter(*second_, "dropped"), 0u);

    kill_and_expect(*first_, *receiver_, connected);
    wait_for_reports(*receiver_, 2);
    EXPECT_EQ(last_counter(*second_, "connects"), 1u);
}

TEST_F(TalkerCompetition, FirstKeepsItsPlaceWithPolicyReject)
{
    run_receiver("client-policy=reject");
    run_first();
    run_second("jkvm-link, reason=(string)too-many");
    wait_for_reports(*receiver_, 4);
    EXPECT_EQ(last_counter(*receiver_, "connects"), 1u);
    EXPECT_EQ(last_counter(*receiver_, "lost"), 0u);

    kill_and_expect(*first_, *receiver_, connected);
    ASSERT_TRUE(receiver_->wait_for_output("jkvm-session, reason=(string)lost"))
        << receiver_->output();
    wait_for_reports(*receiver_, 2);
}

TEST_F(Competition, FirstListenerKeepsItsPlaceWithPolicyReject)
{
    const auto sender = run_sender(std::string("dialect=v2 client-policy=reject ") + patient);
    const std::string added = "jkvm-client, reason=(string)added";
    const auto first = run(listener());
    ASSERT_TRUE(sender->wait_for_output(added)) << sender->output();
    const auto second = run(listener());
    ASSERT_TRUE(second->wait_for_output("jkvm-link, reason=(string)too-many")) << second->output();
    wait_for_reports(*first, 4);
    EXPECT_EQ(last_counter(*first, "connects"), 1u);
    EXPECT_EQ(last_counter(*first, "lost"), 0u);

    kill_and_expect(*first, *sender, added);
    ASSERT_TRUE(sender->wait_for_output("jkvm-session, reason=(string)lost")) << sender->output();
    wait_for_reports(*second, 2);
}

TEST_F(Competition, ProcessReplacesItsOwnConnection)
{
    ElementProcess sender(Part::sink_listens, "client-policy=replace");
    auto connection = sender.connect_peer();
    sender.expect_audio(connection.get());
    for (int i = 0; i < 3; ++i) {
        auto next = sender.connect_peer();
        EXPECT_TRUE(is_closed_by_peer(connection.get()));
        connection = std::move(next);
        sender.expect_audio(connection.get());
    }
    sender.expect_clean_exit();
}

TEST_F(Competition, NinthListenerWaitsWithGrowingPauses)
{
    const auto sender = run_sender(std::string("dialect=v2 ") + patient);
    std::string eight;
    for (int i = 0; i < 8; ++i)
        eight += listener();
    const auto served = run(eight);
    const auto are_all_served = [&] {
        wait_for_reports(*sender, 1);
        return last_counter(*sender, "connects") == 8;
    };
    ASSERT_TRUE(eventually(are_all_served));
    const auto ninth = run(listener());
    ASSERT_TRUE(ninth->wait_for_output("jkvm-link, reason=(string)too-many")) << ninth->output();

    wait_for_reports(*sender, 10);
    // Pauses of 50, 100, 200, ... ms up to 2 s, each shortened by a random part of up to a quarter:
    // at most 9 in the five seconds, 3 in four more, and a margin for a busy machine. Without
    // growth, it would be 100 and 80.
    EXPECT_LE(last_counter(*sender, "rejects"), 20u);
    EXPECT_EQ(last_counter(*sender, "connects"), 8u);
    EXPECT_EQ(last_counter(*sender, "dropped"), 0u);

    const auto before = last_counter(*sender, "rejects");
    wait_for_reports(*sender, 8);
    EXPECT_LE(last_counter(*sender, "rejects"), before + 8);
    kill_and_expect(*served, *sender, "jkvm-client, reason=(string)added");
}

} // namespace
} // namespace jkvm::testing
