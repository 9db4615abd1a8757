// SPDX-License-Identifier: LGPL-2.1-or-later
// Kills one of two gst-launch-1.0 processes and restarts it.
#include "support/alsa_device.h"
#include "support/program.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>

#include <optional>

namespace jkvm::testing {
namespace {

class Reconnect : public ::testing::Test {
protected:
    void start_sender()
    {
        sender_.emplace(gst_launch("-m jkvmaudiosrc device=" + pcm_.device() +
                                   " ! jkvmipcsink socket-path=" + path_));
    }
    void start_receiver()
    {
        receiver_.emplace(gst_launch("-m -e jkvmipcsrc stats-interval=20 socket-path=" + path_ +
                                     " ! oggmux ! filesink location=" + directory_.file("a.ogg")));
    }
    /// Waits until the receiver reports frames that arrived since the last call.
    void expect_audio()
    {
        constexpr auto stats = "x-jkvm-ipcsrc-stats, connected=(boolean)true";
        reports_ += 3;
        ASSERT_TRUE(receiver_->wait_for_output(stats, reports_)) << receiver_->output();
    }

    TestPcm pcm_;
    TemporaryDirectory directory_;
    std::string path_ = directory_.file("a.sock");
    std::optional<Program> sender_;
    std::optional<Program> receiver_;
    int reports_ = 0;
};

TEST_F(Reconnect, ServesReceiverAfterItIsKilledAndRestarted)
{
    start_sender();
    for (int i = 0; i < 3; ++i) {
        start_receiver();
        reports_ = 0;
        expect_audio();
        receiver_->send(SIGKILL);
        EXPECT_EQ(receiver_->wait(), 128 + SIGKILL);
    }
    ASSERT_TRUE(sender_->wait_for_output("jkvm-client, reason=(string)added")) << sender_->output();
    ASSERT_TRUE(sender_->wait_for_output("jkvm-client, reason=(string)closed"))
        << sender_->output();
    sender_->send(SIGINT);
    EXPECT_EQ(sender_->wait(), 0) << sender_->output();
    EXPECT_EQ(sender_->output().find("ERROR"), std::string::npos) << sender_->output();
}

TEST_F(Reconnect, ReconnectsAfterSenderIsKilled)
{
    start_receiver(); // before the server exists
    ASSERT_TRUE(receiver_->wait_for_output("jkvm-link, reason=(string)unreachable"));
    for (int i = 0; i < 3; ++i) {
        start_sender(); // replaces the socket file of the killed process
        expect_audio();
        sender_->send(SIGKILL);
        EXPECT_EQ(sender_->wait(), 128 + SIGKILL);
    }
    receiver_->send(SIGINT);
    EXPECT_EQ(receiver_->wait(), 0) << receiver_->output();
    EXPECT_NE(receiver_->output().find("Got EOS"), std::string::npos) << receiver_->output();
}

TEST_F(Reconnect, SecondSenderOnThePathFails)
{
    start_sender();
    start_receiver();
    expect_audio();
    TestPcm other;
    Program second(gst_launch("jkvmaudiosrc device=" + other.device() +
                              " ! jkvmipcsink socket-path=" + path_));
    EXPECT_NE(second.wait(), 0);
    EXPECT_NE(
        second.output().find("Could not listen on socket path \"" + path_ + "\": another server"),
        std::string::npos)
        << second.output();
    expect_audio();
}

} // namespace
} // namespace jkvm::testing
