// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/send/frame_sender.h"

#include "core/ipc/receive/frame_receiver.h"
#include "support/client_process.h"
#include "support/raw_socket.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
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

class Observer final : public FrameSender::Observer {
public:
    struct Event {
        std::uint64_t id;
        std::optional<RemovalReason> removal; // none: added
        std::string detail;
        bool has_stopped = false;
        pid_t replaced_by = 0;
    };

    bool may_connect(const PeerInfo &) override { return !is_refusing; }
    void on_peer_added(const PeerInfo &client) override { note({client.id, {}, {}}); }
    void on_peer_removed(const PeerTable::Removal &removal) override
    {
        note({removal.peer.id, removal.reason, removal.detail, removal.has_stopped,
              removal.replaced_by ? removal.replaced_by->pid : 0});
    }
    void on_peer_unreachable(const Error &error) override { note({0, {}, error.detail}); }
    void on_encoder_request(const std::optional<wire::EncoderConfig> &config) override
    {
        {
            const std::lock_guard lock(mutex_);
            last_request_ = config;
        }
        note({0, {}, config ? "bitrate " + std::to_string(config->bitrate) : "withdrawn"});
    }
    std::optional<wire::EncoderConfig> last_request()
    {
        const std::lock_guard lock(mutex_);
        return last_request_;
    }
    std::atomic<bool> is_refusing{false};

    /// Waits for the `count`-th event and returns it.
    Event event(std::size_t count)
    {
        std::unique_lock lock(mutex_);
        const bool has_event =
            changed_.wait_for(lock, testing::wait_timeout, [&] { return events_.size() > count; });
        return has_event ? events_[count] : Event{0, {}, "nothing happened"};
    }

private:
    void note(Event event)
    {
        const std::lock_guard lock(mutex_);
        events_.push_back(std::move(event));
        changed_.notify_all();
    }
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<Event> events_;
    std::optional<wire::EncoderConfig> last_request_;
};

class FrameSenderTest : public ::testing::Test {
protected:
    FrameSenderTest()
    {
        config_.endpoint.path = directory_.file("a.sock");
        config_.max_clients = 3;
        config_.max_queue_time = 100ms;
    }

    void start()
    {
        auto server = FrameSender::start(config_, observer_);
        ASSERT_TRUE(server) << server.error().detail;
        sender_ = std::move(*server);
    }
    /// Connects a client and waits until the server has accepted it.
    UniqueFd add_client()
    {
        auto fd = connect_to(config_.endpoint.path);
        EXPECT_FALSE(observer_.event(events_++).removal);
        return fd;
    }
    void send(const std::string &text)
    {
        sender_->send(std::as_bytes(std::span(text)), WallTime(1234567890123456789ns), 20ms);
    }

    testing::TemporaryDirectory directory_;
    FrameSender::Config config_;
    Observer observer_;
    std::size_t events_ = 0;
    std::unique_ptr<FrameSender> sender_;
};

/// A process whose client is replaced by that of another process.
class FrameSenderReplacementTest : public FrameSenderTest {
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

TEST_F(FrameSenderTest, TurnsAwayClientsAboveTheMaximum)
{
    start();
    const auto a = add_client();
    const auto b = add_client();
    const auto c = add_client();
    const auto d = connect_to(config_.endpoint.path);
    EXPECT_EQ(observer_.event(events_++).removal, RemovalReason::too_many);
    EXPECT_TRUE(is_closed_by_peer(d.get()));
    EXPECT_EQ(sender_->stats().rejects, 1u);
    EXPECT_EQ(sender_->stats().connects, 3u);
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

TEST_F(FrameSenderTest, ServesOnlyTheNewestClientWithPolicyReplace)
{
    config_.policy = ClientPolicy::replace;
    start();
    const auto old = add_client();
    const auto newest = connect_to(config_.endpoint.path);
    EXPECT_EQ(observer_.event(events_++).removal, RemovalReason::replaced);
    EXPECT_EQ(observer_.event(events_++).id, 2u);
    EXPECT_TRUE(is_closed_by_peer(old.get()));
    send("x");
    EXPECT_EQ(receive(newest.get(), 18).size(), 18u);
}

TEST_F(FrameSenderReplacementTest, TurnsAwayTheReplacedProcessWhileTheNewestIsConnected)
{
    replace_client();
    const auto again = old_process_.connect(config_.endpoint.path);
    EXPECT_EQ(observer_.event(events_++).removal, RemovalReason::replaced);
    EXPECT_EQ(receive(again.get(), 18).at(17), 2) << "the reason";
    EXPECT_TRUE(is_closed_by_peer(again.get()));
    send("x");
    EXPECT_EQ(receive(newest_.get(), 18).size(), 18u);

    newest_.reset();
    EXPECT_EQ(observer_.event(events_++).removal, RemovalReason::closed);
    const auto back = old_process_.connect(config_.endpoint.path);
    EXPECT_FALSE(observer_.event(events_++).removal);
}

TEST_F(FrameSenderTest, SendsTheReasonToAClientThatItTurnsAway)
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

TEST_F(FrameSenderTest, InvitesAClientThatItTurnedAwayWhenThereIsRoom)
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

TEST_F(FrameSenderTest, TurnsAwayTheSecondClientWithPolicyReject)
{
    config_.policy = ClientPolicy::reject;
    start();
    const auto first = add_client();
    const auto second = connect_to(config_.endpoint.path);
    EXPECT_EQ(observer_.event(events_++).removal, RemovalReason::too_many);
    EXPECT_TRUE(is_closed_by_peer(second.get()));
    send("x");
    EXPECT_EQ(receive(first.get(), 18).size(), 18u);
}

TEST_F(FrameSenderTest, ClosesAClientThatTheApplicationRefuses)
{
    start();
    observer_.is_refusing = true;
    const auto refused = connect_to(config_.endpoint.path);
    EXPECT_EQ(observer_.event(events_++).removal, RemovalReason::forbidden);
    EXPECT_TRUE(is_closed_by_peer(refused.get()));
    EXPECT_EQ(sender_->stats().rejects, 1u);
}

TEST_F(FrameSenderTest, ReportsAnEncoderRequest)
{
    start();
    const auto client = add_client();
    const auto payload = wire::EncoderConfig{.bitrate = 32000}.encode();
    std::vector<std::uint8_t> bytes;
    bytes.reserve(payload.size());
    for (const auto byte : payload)
        bytes.push_back(std::to_integer<std::uint8_t>(byte));
    send_all(client.get(), testing::message_v1("UOKJ", 2, testing::wall_clock_ns(), bytes)); // v2
    EXPECT_EQ(observer_.event(events_++).detail, "bitrate 32000");
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
    config_.max_queue_time = 500ms;
    config_.hold_time = 60ms;
    start();
    sender_->set_stream({});
    for (const auto *text : {"1", "2", "3", "4"})
        send(text);
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

class FrameSenderRequest : public FrameSenderTest {
protected:
    void start_v2()
    {
        config_.dialect = wire::Dialect::v2;
        start();
    }
    static void send_control(const UniqueFd &client, std::uint8_t type, const auto &payload)
    {
        std::vector<std::uint8_t> bytes(payload.size());
        std::ranges::transform(payload, bytes.begin(), std::to_integer<std::uint8_t>);
        send_all(client.get(), testing::message_v1("UOKJ", type, testing::wall_clock_ns(), bytes));
    }
    static void request(const UniqueFd &client, std::uint32_t bitrate)
    {
        send_control(client, 2, wire::EncoderConfig{.bitrate = bitrate}.encode());
    }
    static void withdraw(const UniqueFd &client)
    {
        send_control(client, 1, wire::StreamConfig().encode());
    }
    std::string next_detail() { return observer_.event(events_++).detail; }
};

TEST_F(FrameSenderRequest, HasTheLowestBitrateOfAllClients)
{
    start_v2();
    const auto first = add_client();
    const auto second = add_client();
    request(first, 48000);
    EXPECT_EQ(next_detail(), "bitrate 48000");
    request(second, 32000);
    EXPECT_EQ(next_detail(), "bitrate 32000");
    request(first, 64000); // higher cost than the other's request, but reported because it is new
    EXPECT_EQ(next_detail(), "bitrate 32000");
    withdraw(second);
    EXPECT_EQ(next_detail(), "bitrate 64000");
    withdraw(first);
    EXPECT_EQ(next_detail(), "withdrawn");
}

TEST_F(FrameSenderRequest, IsDroppedWhenItsClientLeaves)
{
    start_v2();
    auto client = add_client();
    const auto other = add_client();
    withdraw(other); // some peers start with a Config; it has no effect
    request(client, 48000);
    EXPECT_EQ(next_detail(), "bitrate 48000");
    client.reset();
    EXPECT_EQ(observer_.event(events_++).removal, RemovalReason::closed);
    EXPECT_EQ(next_detail(), "withdrawn");
}

TEST_F(FrameSenderRequest, HasTheLongestFrameAndTheMinimumOfTheOtherFields)
{
    start_v2();
    const auto first = add_client();
    const auto second = add_client();
    send_control(first, 2,
                 wire::EncoderConfig{.stream = {.sample_rate = 24000, .frame_size = 960},
                                     .bitrate = 64000,
                                     .complexity = 1}
                     .encode());
    EXPECT_EQ(next_detail(), "bitrate 64000");
    send_control(second, 2,
                 wire::EncoderConfig{.bitrate = 32000, .complexity = 4, .dtx = true}.encode());
    EXPECT_EQ(next_detail(), "bitrate 32000");
    const auto config = observer_.last_request();
    ASSERT_TRUE(config);
    EXPECT_EQ(config->stream.sample_rate, 24000u);
    EXPECT_EQ(config->stream.frame_size, 960u); // 40 ms
    EXPECT_EQ(config->complexity, 1u);
    EXPECT_TRUE(config->dtx);
}

} // namespace
} // namespace jkvm
