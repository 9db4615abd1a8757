// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests how FrameSender serves its clients and connects to a server.
#include "ipc/send/frame_sender_test.h"

#include "core/ipc/receive/frame_receiver.h"
#include "support/client_process.h"

#include <cstring>
#include <filesystem>
#include <numeric>

namespace jkvm {
namespace {

using namespace std::chrono_literals;
using testing::connect_to;
using testing::is_closed_by_peer;
using testing::receive;
using testing::send_all;

TEST_F(FrameSenderTest, SendsTheBytesOfTheProtocolToEveryClient)
{
    start();
    const auto first = add_client();
    const auto second = add_client();
    send("opus");
    const std::vector<std::uint8_t> expected{0x55, 0x4F, 0x4B, 0x4A, 0x00, 4,    0,
                                             0,    0,    0x15, 0x81, 0xE9, 0x7D, 0xF4,
                                             0x10, 0x22, 0x11, 'o',  'p',  'u',  's'};
    EXPECT_EQ(receive(first.get(), expected.size()), expected);
    EXPECT_EQ(receive(second.get(), expected.size()), expected);
}

TEST_F(FrameSenderTest, ServesANewClientFromTheNextFrameOn)
{
    start();
    send("old");
    const auto client = add_client();
    send("new");
    const auto bytes = receive(client.get(), 20);
    EXPECT_EQ(std::string(bytes.begin() + 17, bytes.end()), "new");
}

TEST_F(FrameSenderTest, ReportsADisconnectedClientAndServesTheOthers)
{
    start();
    auto leaving = add_client();
    const auto staying = add_client();
    leaving.reset();
    const auto event = observer_.event(events_++);
    EXPECT_EQ(event.id, 1u);
    EXPECT_EQ(event.removal, RemovalReason::closed);
    send("x");
    EXPECT_EQ(receive(staying.get(), 18).size(), 18u);
    EXPECT_EQ(sender_->stats().peers.size(), 1u);
}

TEST_F(FrameSenderTest, DisconnectsOnlyTheClientThatSendsGarbage)
{
    start();
    const auto hostile = add_client();
    const auto healthy = add_client();
    const std::string request = "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n";
    send_all(hostile.get(),
             {reinterpret_cast<const std::uint8_t *>(request.data()), request.size()});
    EXPECT_TRUE(is_closed_by_peer(hostile.get()));
    const auto event = observer_.event(events_++);
    EXPECT_EQ(event.removal, RemovalReason::violation);
    EXPECT_EQ(event.detail, "wrong magic 47 45 54 20");
    send("x");
    EXPECT_EQ(receive(healthy.get(), 18).size(), 18u);
    EXPECT_EQ(sender_->stats().protocol_errors, 1u);
}

TEST_F(FrameSenderTest, DisconnectsAClientThatSendsAnImpossibleLength)
{
    start();
    const auto hostile = add_client();
    auto bytes = testing::message_v1("UOKJ", 1, 0, {});
    std::memset(bytes.data() + 5, 0xFF, 4);
    send_all(hostile.get(), bytes);
    EXPECT_TRUE(is_closed_by_peer(hostile.get()));
    EXPECT_EQ(observer_.event(events_++).detail, "impossible length 4294967295, at most 4096");
}

TEST_F(FrameSenderTest, ReadsControlMessagesWithoutAnsweringOnTheOutputPath)
{
    start();
    const auto client = add_client();
    const std::vector<std::uint8_t> config(12, 0);
    send_all(client.get(), testing::message_v1("UOKJ", 1, 0, config));
    send_all(client.get(), testing::message_v1("UOKJ", 3, 0, {}));      // Heartbeat
    send_all(client.get(), testing::message_v1("UOKJ", 99, 0, config)); // undefined type
    // The violation sent below makes the server act, which shows that it read these messages, too.
    send("frame");
    const auto bytes = receive(client.get(), 22);
    EXPECT_EQ(bytes[4], 0) << "the first message is the frame, not an answer";
    send_all(client.get(), std::vector<std::uint8_t>(17, 0));
    EXPECT_EQ(observer_.event(events_++).removal, RemovalReason::violation);
    EXPECT_TRUE(receive(client.get(), 1).empty());
}

TEST_F(FrameSenderTest, DisconnectsAClientThatNeverReadsWithoutLossForTheOthers)
{
    start();
    const auto stalled = add_client();
    const auto healthy = add_client();
    const std::string frame(1000, 'x');
    constexpr unsigned frames = 2000; // far more than the kernel buffers
    for (unsigned i = 0; i < frames; ++i) {
        send(frame);
        ASSERT_EQ(receive(healthy.get(), 1017).size(), 1017u);
    }
    const auto event = observer_.event(events_++);
    EXPECT_EQ(event.id, 1u);
    EXPECT_EQ(event.removal, RemovalReason::slow);
    const auto stats = sender_->stats();
    ASSERT_EQ(stats.peers.size(), 1u);
    EXPECT_EQ(stats.peers[0].info.id, 2u);
    EXPECT_EQ(stats.peers[0].sent.frames, frames);
    EXPECT_EQ(stats.peers[0].sent.dropped, 0u);
    EXPECT_GE(stats.dropped_queue_full, PeerTable::max_dropped_in_a_row);
    EXPECT_EQ(stats.slow_peers, 1u);

    // Only a little outdated audio remains in the kernel: four whole messages, then the end.
    const auto bytes = receive(stalled.get(), 4 * 1017UL);
    ASSERT_EQ(bytes.size(), 4 * 1017u);
    EXPECT_EQ(bytes[0], 0x55);
    EXPECT_EQ(bytes[1017], 0x55);
}

TEST_F(FrameSenderTest, DisconnectsAClientThatNeverReadsWithTheShortestQueue)
{
    config_.max_queue_time = 20ms; // one frame, which the kernel holds
    start();
    const auto stalled = add_client();
    for (unsigned i = 0; i <= PeerTable::max_dropped_in_a_row; ++i)
        send("x");
    EXPECT_EQ(observer_.event(events_++).removal, RemovalReason::slow);
}

TEST_F(FrameSenderTest, WritesTheQueueWhenTheReaderContinuesWithoutAnotherFrame)
{
    start();
    const auto client = add_client();
    for (int i = 0; i < 5; ++i)
        send("x");
    EXPECT_EQ(sender_->stats().peers.at(0).queued, 100ms);
    EXPECT_EQ(receive(client.get(), 5 * 18UL).size(), 5 * 18u);
    EXPECT_EQ(sender_->stats().dropped_queue_full, 0u);
}

TEST_F(FrameSenderTest, WritesTheQueueBeforeItStops)
{
    start();
    const auto client = add_client();
    for (int i = 0; i < 5; ++i)
        send("x");
    sender_.reset();
    EXPECT_EQ(receive(client.get(), 6 * 18UL).size(), 5 * 18u);
}

TEST_F(FrameSenderTest, SendsNothingButFramesToAV1Client)
{
    config_.max_clients = 1;
    config_.dialect = wire::Dialect::v1;
    start();
    const auto first = add_client();
    const auto second = connect_to(config_.endpoint.path);
    EXPECT_TRUE(receive(second.get(), 1).empty());
}

TEST_F(FrameSenderTest, ConnectsAsSoonAsTheSocketAppears)
{
    config_.endpoint.role = Role::connect;
    config_.pauses = {.first_pause = 1h, .longest_pause = 1h};
    start();
    EXPECT_NE(observer_.event(events_++).detail, ""); // unreachable
    const auto listener = testing::listen_at(config_.endpoint.path);
    EXPECT_TRUE(testing::accept_from(listener.get()));
}

TEST_F(FrameSenderTest, ReportsWhyTheServerTurnsItAway)
{
    const auto listener = testing::listen_at(config_.endpoint.path);
    config_.endpoint.role = Role::connect;
    config_.endpoint.direction = wire::Direction::microphone;
    start();
    auto server = testing::accept_from(listener.get());
    EXPECT_FALSE(observer_.event(events_++).removal);
    const std::vector<std::uint8_t> replaced{2};
    send_all(server.get(), testing::message_v1("IMKJ", 2, testing::wall_clock_ns(), replaced));
    server.reset();
    EXPECT_EQ(observer_.event(events_++).removal, RemovalReason::replaced);
}

TEST_F(FrameSenderTest, TurnsAwayAClientOfAUserThatIsNotAllowed)
{
    if (::geteuid() != 0)
        GTEST_SKIP() << "needs to become another user";
    constexpr uid_t nobody = 65534;
    std::filesystem::permissions(directory_.path(), std::filesystem::perms::all);
    config_.endpoint.mode = 0666;
    config_.endpoint.allowed_uids = {12345};
    start();
    const auto foreign = testing::connect_as(nobody, config_.endpoint.path);
    ASSERT_TRUE(foreign);
    EXPECT_EQ(observer_.event(events_++).removal, RemovalReason::forbidden);
    send("x");
    EXPECT_TRUE(testing::is_closed_by_peer(foreign.get()));
    EXPECT_EQ(sender_->stats().rejects, 1u);

    sender_.reset();
    config_.endpoint.allowed_uids = {12345, nobody};
    start();
    const auto allowed = testing::connect_as(nobody, config_.endpoint.path);
    EXPECT_FALSE(observer_.event(events_++).removal);
    send("x");
    EXPECT_EQ(receive(allowed.get(), 18).size(), 18u);
}

TEST_F(FrameSenderTest, SendsNothingToAServerOfAUserThatIsNotAllowed)
{
    if (::geteuid() != 0)
        GTEST_SKIP() << "needs to become another user";
    constexpr uid_t nobody = 65534;
    std::filesystem::permissions(directory_.path(), std::filesystem::perms::all);
    const auto foreign = testing::listen_as(nobody, config_.endpoint.path);
    ASSERT_TRUE(foreign);
    config_.endpoint.role = Role::connect;
    config_.endpoint.direction = wire::Direction::microphone;
    config_.endpoint.allowed_uids = {12345};
    start();
    sender_->set_stream({});
    EXPECT_EQ(observer_.event(events_++).removal, RemovalReason::forbidden);
    const auto connection = testing::accept_from(foreign.get());
    EXPECT_TRUE(receive(connection.get(), 1).empty());
}

TEST_F(FrameSenderTest, SendsConfigFirstAndStopLastOnTheMicrophonePath)
{
    const auto listener = testing::listen_at(config_.endpoint.path);
    config_.endpoint.role = Role::connect;
    config_.endpoint.direction = wire::Direction::microphone;
    start();
    sender_->set_stream({.sample_rate = 48000, .channels = 1, .frame_size = 960});
    auto server = testing::accept_from(listener.get());
    ASSERT_TRUE(server);
    EXPECT_FALSE(observer_.event(events_++).removal); // it is connected
    send("opus");
    const auto config = receive(server.get(), 17 + 12);
    EXPECT_EQ(std::string(config.begin(), config.begin() + 4), "IMKJ");
    EXPECT_EQ(config[4], 1);
    EXPECT_EQ(std::vector(config.begin() + 17, config.end()),
              (std::vector<std::uint8_t>{0x80, 0xBB, 0, 0, 1, 0, 0, 0, 0xC0, 3, 0, 0}));
    EXPECT_EQ(receive(server.get(), 17 + 4)[4], 0);

    // After the server has closed the connection, the sender reconnects.
    server = testing::accept_from((server.reset(), listener.get()));
    ASSERT_TRUE(server);
    EXPECT_EQ(receive(server.get(), 17 + 12)[4], 1);
    sender_.reset();
    const auto stop = receive(server.get(), 18);
    ASSERT_EQ(stop.size(), 17u);
    EXPECT_EQ(stop[4], 2);
}

TEST_F(FrameSenderTest, SendsTheFramesThatWereHeldWhileItConnected)
{
    config_.endpoint.role = Role::connect;
    config_.endpoint.direction = wire::Direction::microphone;
    // Connecting may take longer than three frames of 20 ms, after which they would be dropped.
    config_.max_queue_time = 2h;
    config_.hold_time = 1h;
    start();
    sender_->set_stream({});
    for (const auto *text : {"1", "2", "3", "4"})
        send(text, 20min);
    const auto listener = testing::listen_at(config_.endpoint.path);
    const auto server = testing::accept_from(listener.get());
    ASSERT_TRUE(server);
    EXPECT_EQ(receive(server.get(), 17 + 12)[4], 1); // Config comes first
    for (const char text : {'2', '3', '4'})
        EXPECT_EQ(receive(server.get(), 18).at(17), text);
    EXPECT_EQ(sender_->stats().unheard, 1u);
}

TEST_F(FrameSenderTest, HoldsNothingForAClientThatConnects)
{
    config_.endpoint.direction = wire::Direction::microphone;
    start();
    send("1");
    const auto client = add_client();
    send("2");
    EXPECT_EQ(receive(client.get(), 18).at(17), '2');
    EXPECT_EQ(sender_->stats().unheard, 1u);
}

TEST_F(FrameSenderTest, LosesNothingIfAReceiverStallsFor400ms)
{
    config_.max_queue_time = FrameSender::Config().max_queue_time;
    start();
    const auto client = add_client();
    for (int i = 0; i < 20; ++i)
        send("x");
    EXPECT_EQ(receive(client.get(), 20 * 18UL).size(), 20 * 18u);
    EXPECT_EQ(sender_->stats().dropped_queue_full, 0u);
}

TEST_F(FrameSenderTest, DoesNotQueueAnswersThatAreNotRead)
{
    config_.endpoint.direction = wire::Direction::microphone;
    start();
    const auto client = add_client();
    const auto heartbeat = testing::message_v1("IMKJ", 3, testing::wall_clock_ns(), {});
    for (int i = 0; i < 10000; ++i)
        send_all(client.get(), heartbeat);
    send_all(client.get(), std::vector<std::uint8_t>(17, 0)); // violation after all Heartbeats
    EXPECT_EQ(observer_.event(events_++).removal, RemovalReason::violation);
}

TEST_F(FrameSenderTest, ClosesEveryConnectionAndRemovesThePathWhenItStops)
{
    start();
    const auto client = add_client();
    sender_.reset();
    EXPECT_TRUE(is_closed_by_peer(client.get()));
    EXPECT_EQ(observer_.event(events_++).removal, RemovalReason::ended);
    EXPECT_TRUE(std::filesystem::is_empty(directory_.path()));
}

TEST_F(FrameSenderTest, KeepsCountingTheDeliveriesToADisconnectedClient)
{
    start();
    const auto deliveries = [&] {
        const auto counts = sender_->stats().delivery.counts();
        return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
    };
    auto leaving = add_client();
    const auto staying = add_client();
    send("x");
    EXPECT_EQ(deliveries(), 2u);
    EXPECT_EQ(sender_->stats().disconnects, 0u);
    leaving.reset();
    observer_.event(events_++);
    EXPECT_EQ(deliveries(), 2u);
    EXPECT_EQ(sender_->stats().disconnects, 1u);
    send("x");
    EXPECT_EQ(deliveries(), 3u);
}

TEST_F(FrameSenderTest, ReportsTheSocketBufferThatUnreadFramesOccupy)
{
    start();
    const auto client = add_client();
    EXPECT_EQ(sender_->stats().peers.at(0).send_buffer_used, 0);
    send(std::string(1000, 'x'));
    const auto stats = sender_->stats().peers.at(0);
    EXPECT_GE(stats.send_buffer_used, 1017);
    EXPECT_LT(stats.send_buffer_used, stats.buffers.send);
    receive(client.get(), 1017);
    EXPECT_EQ(sender_->stats().peers.at(0).send_buffer_used, 0);
}

TEST_F(FrameSenderTest, KeepsCountingTheDropsOfADisconnectedClient)
{
    start();
    auto stalled = add_client();
    for (int i = 0; i < 1000; ++i)
        send(std::string(1000, 'x'));
    const auto before = sender_->stats().dropped_queue_full;
    EXPECT_GT(before, 0u);
    stalled.reset();
    observer_.event(events_++);
    EXPECT_EQ(sender_->stats().dropped_queue_full, before);
}

} // namespace
} // namespace jkvm
