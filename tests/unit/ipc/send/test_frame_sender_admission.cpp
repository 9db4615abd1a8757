// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests which clients FrameSender serves, and which reason it sends to those that it turns away.
#include "ipc/send/frame_sender_test.h"

#include "core/ipc/receive/frame_receiver.h"
#include "support/client_process.h"

namespace jkvm {
namespace {

using namespace std::chrono_literals;
using testing::connect_to;
using testing::is_closed_by_peer;
using testing::receive;
using testing::send_all;

class FrameSenderAdmissionTest : public FrameSenderTest {
protected:
    /// Connects a client and expects that it is turned away.
    void expect_turned_away(RemovalReason reason)
    {
        const auto client = connect_to(config_.endpoint.path);
        EXPECT_EQ(observer_.event(events_++).removal, reason);
        EXPECT_TRUE(is_closed_by_peer(client.get()));
    }
    void expect_served(const UniqueFd &client)
    {
        send("x");
        EXPECT_EQ(receive(client.get(), 18).size(), 18u);
    }
};

/// A process whose client is replaced by that of another process.
class FrameSenderReplacementTest : public FrameSenderAdmissionTest {
protected:
    void replace_client()
    {
        config_.policy = ClientPolicy::replace;
        config_.dialect = wire::Dialect::v2;
        start();
        const auto old = old_process_.connect(config_.endpoint.path);
        EXPECT_FALSE(observer_.event(events_++).removal);
        newest_ = new_process_.connect(config_.endpoint.path);
        const auto replaced = observer_.event(events_++);
        EXPECT_EQ(replaced.removal, RemovalReason::replaced);
        EXPECT_EQ(replaced.replaced_by, new_process_.pid());
        EXPECT_FALSE(observer_.event(events_++).removal);
        EXPECT_TRUE(is_closed_by_peer(old.get()));
    }

    testing::ClientProcess old_process_; // both are forked before the service thread starts
    testing::ClientProcess new_process_;
    UniqueFd newest_;
};

TEST_F(FrameSenderAdmissionTest, TurnsAwayClientsAboveTheMaximum)
{
    start();
    const auto a = add_client();
    const auto b = add_client();
    const auto c = add_client();
    expect_turned_away(RemovalReason::too_many);
    EXPECT_EQ(sender_->stats().rejects, 1u);
    EXPECT_EQ(sender_->stats().connects, 3u);
}

TEST_F(FrameSenderAdmissionTest, ServesOnlyTheNewestClientWithPolicyReplace)
{
    config_.policy = ClientPolicy::replace;
    start();
    const auto old = add_client();
    const auto newest = connect_to(config_.endpoint.path);
    EXPECT_EQ(observer_.event(events_++).removal, RemovalReason::replaced);
    EXPECT_EQ(observer_.event(events_++).id, 2u);
    EXPECT_TRUE(is_closed_by_peer(old.get()));
    expect_served(newest);
}

TEST_F(FrameSenderReplacementTest, TurnsAwayTheReplacedProcessWhileTheNewestIsConnected)
{
    replace_client();
    const auto again = old_process_.connect(config_.endpoint.path);
    EXPECT_EQ(observer_.event(events_++).removal, RemovalReason::replaced);
    EXPECT_EQ(receive(again.get(), 18).at(17), 2) << "the reason";
    EXPECT_TRUE(is_closed_by_peer(again.get()));
    expect_served(newest_);

    newest_.reset();
    EXPECT_EQ(observer_.event(events_++).removal, RemovalReason::closed);
    const auto back = old_process_.connect(config_.endpoint.path);
    EXPECT_FALSE(observer_.event(events_++).removal);
}

TEST_F(FrameSenderAdmissionTest, SendsTheReasonToAClientThatItTurnsAway)
{
    config_.max_clients = 1;
    config_.dialect = wire::Dialect::v2;
    start();
    const auto first = add_client();
    const auto second = connect_to(config_.endpoint.path);
    const auto stop = receive(second.get(), 18);
    ASSERT_EQ(stop.size(), 18u);
    EXPECT_EQ(stop[4], 3); // Stop
    EXPECT_EQ(stop[17], 1) << "too many";
    observer_.is_refusing = true;
    const auto third = connect_to(config_.endpoint.path);
    EXPECT_TRUE(receive(third.get(), 18).empty()) << "nothing is sent to a forbidden client";
}

TEST_F(FrameSenderReplacementTest, IgnoresTheReasonThatALeavingClientSends)
{
    replace_client();
    // Only a server has a reason to send. A client's must not keep others from reconnecting.
    const std::vector<std::uint8_t> reason{2}; // replaced
    send_all(newest_.get(), testing::message_v1("UOKJ", 3, testing::wall_clock_ns(), reason));
    newest_.reset();
    const auto end = observer_.event(events_++);
    EXPECT_EQ(end.removal, RemovalReason::closed);
    EXPECT_TRUE(end.has_stopped);
    const auto back = old_process_.connect(config_.endpoint.path);
    EXPECT_FALSE(observer_.event(events_++).removal);
}

TEST_F(FrameSenderAdmissionTest, NotifiesAClientThatItTurnedAwayWhenThereIsRoom)
{
    config_.max_clients = 1;
    start();
    auto first = add_client();
    ReceiverControl control;
    auto second =
        FrameReceiver::open({.endpoint = {.path = config_.endpoint.path, .role = Role::connect},
                             .pauses = {.first_pause = 1h, .longest_pause = 1h}},
                            control);
    ASSERT_TRUE(second);
    ASSERT_EQ((*second)->wait(), FrameReceiver::Event::connected);
    ASSERT_EQ((*second)->wait(), FrameReceiver::Event::disconnected);
    const auto before = monotonic_now();
    EXPECT_EQ((*second)->wait(before + 10ms), FrameReceiver::Event::timed_out);
    first.reset();
    EXPECT_EQ((*second)->wait(before + testing::wait_timeout), FrameReceiver::Event::connected);
}

TEST_F(FrameSenderAdmissionTest, TurnsAwayTheSecondClientWithPolicyReject)
{
    config_.policy = ClientPolicy::reject;
    start();
    const auto first = add_client();
    expect_turned_away(RemovalReason::too_many);
    expect_served(first);
}

TEST_F(FrameSenderAdmissionTest, ClosesAClientThatTheApplicationRefuses)
{
    start();
    observer_.is_refusing = true;
    expect_turned_away(RemovalReason::forbidden);
    EXPECT_EQ(sender_->stats().rejects, 1u);
}

} // namespace
} // namespace jkvm
