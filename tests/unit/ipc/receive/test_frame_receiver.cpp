// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/receive/frame_receiver.h"

#include "core/ipc/socket/socket_address.h"
#include "support/child_process.h"
#include "support/client_process.h"
#include "support/raw_socket.h"
#include "support/temporary_directory.h"
#include "unit/ipc/interposed_calls.h"

#include <gtest/gtest.h>

#include <sys/socket.h>

#include <thread>

namespace jkvm {
namespace {

using namespace std::chrono_literals;
using Event = FrameReceiver::Event;
using testing::accept_from;
using testing::listen_at;
using testing::message_v1;
using testing::send_all;

class FrameReceiverTest : public ::testing::Test {
protected:
    std::unique_ptr<FrameReceiver> make(FrameReceiver::Config config)
    {
        config.endpoint.path = path_;
        if (!config.dialect)
            config.dialect = wire::Dialect::v1; // its timestamps are not those of a clock
        if (config.pauses.first_pause == 50ms)
            config.pauses = {.first_pause = 1ms, .longest_pause = 1ms};
        auto receiver = FrameReceiver::open(std::move(config), control_);
        EXPECT_TRUE(receiver) << receiver.error().detail;
        return std::move(*receiver);
    }
    /// A listening server and a receiver connected to it.
    void connect()
    {
        listener_ = listen_at(path_);
        ASSERT_EQ(receiver_->wait(), Event::connected);
        server_ = accept_from(listener_.get());
    }
    /// wait(), without failed attempts to connect.
    Event wait_past_failed_attempts()
    {
        auto event = receiver_->wait();
        while (event == Event::unreachable)
            event = receiver_->wait();
        return event;
    }

    /// Sends a frame from the server and receives it.
    [[nodiscard]] wire::OpusFrame frame() const
    {
        const auto *frame = std::get_if<wire::OpusFrame>(&receiver_->message());
        return frame != nullptr ? *frame : wire::OpusFrame{};
    }
    void next_message()
    {
        send_all(server_.get(), message_v1("UOKJ", 0, 1, packet_));
        ASSERT_EQ(receiver_->wait(), Event::message);
    }

    testing::TemporaryDirectory directory_;
    std::string path_ = directory_.file("a.sock");
    ReceiverControl control_;
    std::unique_ptr<FrameReceiver> receiver_ = make({.endpoint = {.role = Role::connect}});

    UniqueFd listener_;
    UniqueFd server_;
    const std::vector<std::uint8_t> packet_{0xFC, 1, 2, 3};
};

TEST_F(FrameReceiverTest, ReceivesFramesOfItsServer)
{
    connect();
    send_all(server_.get(), message_v1("UOKJ", 0, 42, packet_));
    ASSERT_EQ(receiver_->wait(), Event::message);
    EXPECT_TRUE(std::holds_alternative<wire::OpusFrame>(receiver_->message()));
    EXPECT_EQ(frame().captured.time_since_epoch(), 42ns);
    ASSERT_EQ(frame().packet.size(), 4u);
    EXPECT_EQ(frame().packet[3], std::byte{3});
}

TEST_F(FrameReceiverTest, StartsBeforeItsServer)
{
    ASSERT_EQ(receiver_->wait(), Event::unreachable);
    EXPECT_EQ(receiver_->error().kind, ErrorKind::peer_unreachable);
    EXPECT_EQ(receiver_->error().subject, path_);
    listener_ = listen_at(path_);
    EXPECT_EQ(wait_past_failed_attempts(), Event::connected);
}

TEST_F(FrameReceiverTest, TimesOutAtTheDeadline)
{
    receiver_ = make(
        {.endpoint = {.role = Role::connect}, .pauses = {.first_pause = 1h, .longest_pause = 2h}});
    ASSERT_EQ(receiver_->wait(), Event::unreachable);
    EXPECT_EQ(receiver_->wait(monotonic_now() + 1ms), Event::timed_out) << "without a server";

    receiver_ = make({.endpoint = {.role = Role::listen}});
    EXPECT_EQ(receiver_->wait(monotonic_now() + 1ms), Event::timed_out) << "without a client";
    const auto client = testing::connect_to(path_);
    ASSERT_EQ(receiver_->wait(), Event::connected);
    EXPECT_EQ(receiver_->wait(monotonic_now() + 1ms), Event::timed_out) << "with a silent one";
    send_all(client.get(), message_v1("UOKJ", 0, 42, packet_));
    EXPECT_EQ(receiver_->wait(monotonic_now() + 20s), Event::message);
}

TEST_F(FrameReceiverTest, ReconnectsToARestartedServer)
{
    connect();
    server_.reset();
    listener_.reset();
    ASSERT_EQ(receiver_->wait(), Event::disconnected);
    EXPECT_EQ(receiver_->error().kind, ErrorKind::peer_gone);
    std::filesystem::remove(path_);
    listener_ = listen_at(path_);
    ASSERT_EQ(wait_past_failed_attempts(), Event::connected);
    server_ = accept_from(listener_.get());
    next_message();
}

TEST_F(FrameReceiverTest, DiscardsAPartialMessageOnReconnect)
{
    connect();
    const auto whole = message_v1("UOKJ", 0, 1, packet_);
    send_all(server_.get(), std::span(whole).first(10));
    server_.reset();
    ASSERT_EQ(receiver_->wait(), Event::disconnected);
    ASSERT_EQ(wait_past_failed_attempts(), Event::connected);
    server_ = accept_from(listener_.get());
    send_all(server_.get(), whole);
    EXPECT_EQ(receiver_->wait(), Event::message);
}

TEST_F(FrameReceiverTest, ClosesTheConnectionOnGarbage)
{
    connect();
    send_all(server_.get(), std::vector<std::uint8_t>(17, 0x20));
    ASSERT_EQ(receiver_->wait(), Event::disconnected);
    EXPECT_EQ(receiver_->error().kind, ErrorKind::protocol_violation);
    EXPECT_EQ(receiver_->error().detail, "wrong magic 20 20 20 20");
    EXPECT_TRUE(testing::is_closed_by_peer(server_.get()));
}

TEST_F(FrameReceiverTest, ReturnsUnknownMessagesAndKeepsSynchronisation)
{
    connect();
    send_all(server_.get(), message_v1("UOKJ", 77, 1, std::vector<std::uint8_t>(4096, 1)));
    send_all(server_.get(), message_v1("UOKJ", 0, 2, packet_));
    ASSERT_EQ(receiver_->wait(), Event::message);
    EXPECT_TRUE(std::holds_alternative<wire::Unknown>(receiver_->message()));
    ASSERT_EQ(receiver_->wait(), Event::message);
    EXPECT_TRUE(std::holds_alternative<wire::OpusFrame>(receiver_->message()));
}

TEST_F(FrameReceiverTest, StopsWaitingForAFrameWhenInterrupted)
{
    connect();
    std::thread other([this] { control_.interrupt(); });
    EXPECT_EQ(receiver_->wait(), Event::interrupted);
    other.join();
    EXPECT_EQ(receiver_->wait(), Event::interrupted) << "until resume()";
    control_.resume();
    next_message();
}

TEST_F(FrameReceiverTest, StopsWaitingForAServerWhenInterrupted)
{
    const auto receiver = make(
        {.endpoint = {.role = Role::connect}, .pauses = {.first_pause = 1h, .longest_pause = 1h}});
    ASSERT_EQ(receiver->wait(), Event::unreachable);
    std::thread other([this] { control_.interrupt(); });
    EXPECT_EQ(receiver->wait(), Event::interrupted);
    other.join();
}

TEST_F(FrameReceiverTest, ReplacesTheConnectionOnRestart)
{
    connect();
    send_all(server_.get(), message_v1("UOKJ", 0, 1, packet_)); // outdated: must not be returned
    control_.request_restart();
    control_.interrupt();
    control_.resume();
    ASSERT_EQ(receiver_->wait(), Event::restarted);
    ASSERT_EQ(receiver_->wait(), Event::connected);
    EXPECT_TRUE(testing::is_closed_by_peer(server_.get()));
    server_ = accept_from(listener_.get());
    send_all(server_.get(), message_v1("UOKJ", 0, 2, packet_));
    ASSERT_EQ(receiver_->wait(), Event::message);
    EXPECT_EQ(frame().captured.time_since_epoch(), 2ns);
}

TEST_F(FrameReceiverTest, ReportsAnInterruptBeforeARestart)
{
    connect();
    control_.request_restart();
    control_.interrupt();
    EXPECT_EQ(receiver_->wait(), Event::restarted);
    EXPECT_EQ(receiver_->wait(), Event::interrupted);
}

/// A listening microphone receiver, like JetKVM's playback process.
class ListeningReceiverTest : public FrameReceiverTest {
protected:
    ListeningReceiverTest()
    {
        receiver_ =
            make({.endpoint = {.role = Role::listen, .direction = wire::Direction::microphone}});
    }
    UniqueFd add_client()
    {
        auto client = testing::connect_to(path_);
        EXPECT_EQ(receiver_->wait(), Event::connected);
        return client;
    }
};

TEST_F(ListeningReceiverTest, ReceivesFramesOfItsClient)
{
    const auto client = add_client();
    send_all(client.get(), message_v1("IMKJ", 0, 42, packet_));
    EXPECT_EQ(receiver_->wait(), Event::message);
    EXPECT_EQ(receiver_->peer().pid, ::getpid());
}

TEST_F(ListeningReceiverTest, AcknowledgesHeartbeatAndConfig)
{
    const auto client = add_client();
    const std::vector<std::uint8_t> invalid(12, 0xFF); // not acknowledged
    send_all(client.get(), message_v1("IMKJ", 1, 0, invalid));
    ASSERT_EQ(receiver_->wait(), Event::message);
    const std::vector<std::uint8_t> config{0x80, 0xBB, 0, 0, 2, 0, 0, 0, 0xC0, 3, 0, 0};
    for (const auto &message : {message_v1("IMKJ", 3, 0, {}), message_v1("IMKJ", 1, 0, config)}) {
        send_all(client.get(), message);
        EXPECT_EQ(receiver_->wait(), Event::message);
        const auto ack = testing::receive(client.get(), 17);
        ASSERT_EQ(ack.size(), 17u);
        EXPECT_EQ(ack[4], 4);
    }
    receiver_.reset();
    EXPECT_TRUE(testing::receive(client.get(), 1).empty()) << "two answers, no more";
}

TEST_F(ListeningReceiverTest, ReceivesFromAClientThatDoesNotReadItsAcks)
{
    const auto client = add_client();
    for (int i = 0; i < 10000; ++i) {
        send_all(client.get(), message_v1("IMKJ", 3, 0, {}));
        ASSERT_EQ(receiver_->wait(), Event::message);
    }
    send_all(client.get(), message_v1("IMKJ", 0, 42, packet_));
    ASSERT_EQ(receiver_->wait(), Event::message);
    EXPECT_TRUE(std::holds_alternative<wire::OpusFrame>(receiver_->message()));
}

TEST_F(ListeningReceiverTest, ReplacesItsClientWithANewerOne)
{
    const auto old = add_client();
    const auto newest = add_client();
    EXPECT_TRUE(testing::is_closed_by_peer(old.get()));
    send_all(newest.get(), message_v1("IMKJ", 0, 42, packet_));
    EXPECT_EQ(receiver_->wait(), Event::message);
}

TEST_F(ListeningReceiverTest, KeepsItsClientWhenAnotherIsRejected)
{
    receiver_.reset();
    bool is_open = true;
    receiver_ = make({.endpoint = {.role = Role::listen, .direction = wire::Direction::microphone},
                      .may_connect = [&](const PeerInfo &) { return is_open; }});
    const auto client = add_client();
    is_open = false;
    const auto refused = testing::connect_to(path_);
    ASSERT_EQ(receiver_->wait(), Event::rejected);
    EXPECT_TRUE(testing::is_closed_by_peer(refused.get()));
    send_all(client.get(), message_v1("IMKJ", 0, 42, packet_));
    EXPECT_EQ(receiver_->wait(), Event::message);
}

TEST_F(ListeningReceiverTest, ClosesTheConnectionIfOnlyAPartOfAnAckIsAccepted)
{
    const auto client = add_client();
    send_all(client.get(), message_v1("IMKJ", 3, 0, {}));
    testing::limit_of_next_sendmsg = 5;
    EXPECT_EQ(receiver_->wait(), Event::message);
    EXPECT_EQ(testing::receive(client.get(), 17).size(), 5u);
    EXPECT_EQ(receiver_->wait(monotonic_now() + 20s), Event::disconnected);
}

TEST_F(ListeningReceiverTest, TurnsAwayADisplacedProcessWhileTheNewestIsConnected)
{
    testing::ClientProcess old_process;
    testing::ClientProcess new_process;
    const auto old = old_process.connect(path_);
    ASSERT_EQ(receiver_->wait(), Event::connected);
    auto newest = new_process.connect(path_);
    ASSERT_EQ(receiver_->wait(), Event::connected);
    const std::vector<std::uint8_t> replaced{2};
    auto stop = message_v1("IMKJ", 2, 0, replaced);
    auto received = testing::receive(old.get(), 18);
    ASSERT_EQ(received.size(), 18u);
    std::fill(received.begin() + 9, received.begin() + 17, std::uint8_t{0}); // the timestamp
    EXPECT_EQ(received, stop);
    EXPECT_TRUE(testing::is_closed_by_peer(old.get()));

    const auto again = old_process.connect(path_);
    ASSERT_EQ(receiver_->wait(), Event::rejected);
    EXPECT_EQ(receiver_->close_reason(), wire::CloseReason::replaced);
    EXPECT_TRUE(testing::is_closed_by_peer(again.get()));
    send_all(newest.get(), message_v1("IMKJ", 0, 42, packet_));
    EXPECT_EQ(receiver_->wait(), Event::message);

    newest.reset();
    ASSERT_EQ(receiver_->wait(), Event::disconnected);
    const auto back = old_process.connect(path_);
    EXPECT_EQ(receiver_->wait(), Event::connected);
}

TEST_F(ListeningReceiverTest, NotifiesAProcessThatItTurnedAwayWhenItsClientLeaves)
{
    testing::ClientProcess old_process;
    testing::ClientProcess new_process;
    SocketWatch watch(path_);
    const auto old = old_process.connect(path_);
    ASSERT_EQ(receiver_->wait(), Event::connected);
    auto newest = new_process.connect(path_);
    ASSERT_EQ(receiver_->wait(), Event::connected);
    ASSERT_TRUE(watch.arm());
    const auto again = old_process.connect(path_);
    ASSERT_EQ(receiver_->wait(), Event::rejected);
    EXPECT_FALSE(watch.take_appearance());
    newest.reset();
    ASSERT_EQ(receiver_->wait(), Event::disconnected);
    EXPECT_TRUE(watch.take_appearance());
}

TEST_F(ListeningReceiverTest, KeepsItsClientWithPolicyReject)
{
    receiver_.reset();
    receiver_ = make({.endpoint = {.role = Role::listen, .direction = wire::Direction::microphone},
                      .policy = ClientPolicy::reject});
    auto first = add_client();
    const auto second = testing::connect_to(path_);
    ASSERT_EQ(receiver_->wait(), Event::rejected);
    EXPECT_EQ(receiver_->close_reason(), wire::CloseReason::too_many);
    EXPECT_TRUE(testing::is_closed_by_peer(second.get()));
    send_all(first.get(), message_v1("IMKJ", 0, 42, packet_));
    EXPECT_EQ(receiver_->wait(), Event::message);
    first.reset();
    ASSERT_EQ(receiver_->wait(), Event::disconnected);
    const auto third = add_client();
}

/// A receiver that lets its clients wait for their turn.
class QueueingReceiverTest : public ListeningReceiverTest {
protected:
    QueueingReceiverTest()
    {
        receiver_.reset();
        receiver_ =
            make({.endpoint = {.role = Role::listen, .direction = wire::Direction::microphone},
                  .policy = ClientPolicy::queue});
    }
    static void talk(const UniqueFd &client, std::int64_t captured)
    {
        const std::vector<std::uint8_t> packet{0xFC};
        send_all(client.get(), message_v1("IMKJ", 0, captured, packet));
    }
    static void stop(const UniqueFd &client)
    {
        send_all(client.get(), message_v1("IMKJ", 2, 0, {}));
    }
    void expect_frame(std::int64_t captured)
    {
        ASSERT_EQ(receiver_->wait(), Event::message);
        EXPECT_EQ(frame().captured.time_since_epoch(), nanoseconds(captured));
    }
};

TEST_F(QueueingReceiverTest, ServesTheNextClientAfterAStopAndAfterADisconnect)
{
    const auto first = add_client();
    talk(first, 1);
    expect_frame(1);
    auto second = testing::connect_to(path_);
    const std::vector<std::uint8_t> config{0x80, 0xBB, 0, 0, 1, 0, 0, 0, 0xC0, 3, 0, 0};
    EXPECT_EQ(receiver_->wait(monotonic_now() + 10ms), Event::timed_out) << "it waits";
    send_all(second.get(), message_v1("IMKJ", 1, 0, config));
    talk(second, 2);
    talk(first, 3);
    expect_frame(3);
    EXPECT_EQ(testing::receive(second.get(), 17).size(), 17u) << "an Ack";

    stop(first);
    ASSERT_EQ(receiver_->wait(), Event::message);
    EXPECT_TRUE(std::holds_alternative<wire::Stop>(receiver_->message()));
    ASSERT_EQ(receiver_->wait(), Event::connected);
    EXPECT_EQ(receiver_->peer().id, 2u);
    ASSERT_EQ(receiver_->wait(), Event::message);
    EXPECT_TRUE(std::holds_alternative<wire::Config>(receiver_->message()));
    talk(first, 4); // now the first one waits
    talk(second, 5);
    expect_frame(5);

    second.reset();
    ASSERT_EQ(receiver_->wait(), Event::disconnected);
    ASSERT_EQ(receiver_->wait(), Event::connected);
    EXPECT_EQ(receiver_->peer().id, 1u);
    talk(first, 6);
    expect_frame(6);
}

TEST_F(QueueingReceiverTest, RepeatsTheConfigOfAClientThatIsServedAgain)
{
    const auto first = add_client();
    const std::vector<std::uint8_t> config{0xC0, 0x5D, 0, 0, 1, 0, 0, 0, 0xE0, 1, 0, 0};
    send_all(first.get(), message_v1("IMKJ", 1, 0, config));
    ASSERT_EQ(receiver_->wait(), Event::message);
    auto second = testing::connect_to(path_);
    talk(second, 1);
    ASSERT_EQ(receiver_->wait(), Event::connected);
    talk(second, 2);
    expect_frame(2);

    second.reset();
    ASSERT_EQ(receiver_->wait(), Event::disconnected);
    ASSERT_EQ(receiver_->wait(), Event::connected);
    EXPECT_EQ(receiver_->peer().id, 1u);
    ASSERT_EQ(receiver_->wait(monotonic_now() + 20s), Event::message);
    const auto *repeated = std::get_if<wire::Config>(&receiver_->message());
    ASSERT_NE(repeated, nullptr);
    EXPECT_EQ(repeated->stream.sample_rate, 24000u);
}

TEST_F(QueueingReceiverTest, ServesAClientThatTalksInPlaceOfOneThatIsSilent)
{
    const auto silent = add_client();
    const auto also_silent = testing::connect_to(path_);
    const auto talker = testing::connect_to(path_);
    talk(talker, 1);
    ASSERT_EQ(receiver_->wait(), Event::connected);
    EXPECT_EQ(receiver_->peer().id, 3u);
    talk(talker, 2);
    expect_frame(2);
}

TEST_F(QueueingReceiverTest, ForgetsAWaitingClientThatLeavesOrViolatesTheProtocol)
{
    const auto first = add_client();
    talk(first, 1);
    expect_frame(1);
    auto leaving = testing::connect_to(path_);
    const auto hostile = testing::connect_to(path_);
    const auto last = testing::connect_to(path_);
    EXPECT_EQ(receiver_->wait(monotonic_now() + 10ms), Event::timed_out);
    leaving.reset();
    send_all(hostile.get(), std::vector<std::uint8_t>(17, 0x20));
    talk(last, 2);
    stop(first);
    ASSERT_EQ(receiver_->wait(), Event::message);
    ASSERT_EQ(receiver_->wait(), Event::connected);
    EXPECT_EQ(receiver_->peer().id, 4u);
    EXPECT_TRUE(testing::is_closed_by_peer(hostile.get()));
}

TEST_F(QueueingReceiverTest, TurnsAwayClientsAboveTheMaximum)
{
    const auto first = add_client();
    std::vector<UniqueFd> waiting;
    for (std::size_t i = 0; i < ClientQueue::max_clients; ++i) {
        waiting.push_back(testing::connect_to(path_));
        EXPECT_EQ(receiver_->wait(monotonic_now() + 1ms), Event::timed_out);
    }
    const auto refused = testing::connect_to(path_);
    ASSERT_EQ(receiver_->wait(), Event::rejected);
    EXPECT_EQ(receiver_->close_reason(), wire::CloseReason::too_many);
}

TEST_F(FrameReceiverTest, IsForbiddenToConnectWithoutPermission)
{
    if (::geteuid() != 0)
        GTEST_SKIP() << "needs to become another user";
    constexpr uid_t nobody = 65534;
    std::filesystem::permissions(directory_.path(), std::filesystem::perms::all);
    listener_ = listen_at(path_);
    std::filesystem::permissions(path_, std::filesystem::perms::owner_all);
    testing::ChildProcess child([this] {
        const bool is_other_user = ::setuid(nobody) == 0;
        const bool is_unreachable = receiver_->wait() == Event::unreachable;
        const bool is_forbidden = is_permission_denied(receiver_->error());
        return is_other_user && is_unreachable && is_forbidden ? 0 : 1;
    });
    EXPECT_EQ(child.wait(), 0);
}

TEST_F(FrameReceiverTest, ReportsWhyTheServerTurnsItAway)
{
    connect();
    const std::vector<std::uint8_t> too_many{1};
    send_all(server_.get(), message_v1("UOKJ", 2, testing::wall_clock_ns(), too_many));
    server_.reset();
    ASSERT_EQ(receiver_->wait(), Event::message);
    ASSERT_EQ(receiver_->wait(), Event::disconnected);
    EXPECT_EQ(receiver_->close_reason(), wire::CloseReason::too_many);
}

TEST_F(FrameReceiverTest, ConnectsAsSoonAsTheSocketAppears)
{
    receiver_ = make(
        {.endpoint = {.role = Role::connect}, .pauses = {.first_pause = 1h, .longest_pause = 1h}});
    ASSERT_EQ(receiver_->wait(), Event::unreachable);
    connect();
    server_.reset();
    listener_.reset();
    ASSERT_EQ(receiver_->wait(), Event::disconnected);
    std::filesystem::remove(path_);
    // A connection that ended is restored after a pause, which nothing but the socket shortens.
    listener_ = listen_at(path_);
    EXPECT_EQ(wait_past_failed_attempts(), Event::connected);
}

TEST_F(FrameReceiverTest, ConnectsWhenTheServerListensAfterItsSocketAppeared)
{
    receiver_ = make(
        {.endpoint = {.role = Role::connect}, .pauses = {.first_pause = 1h, .longest_pause = 1h}});
    ASSERT_EQ(receiver_->wait(), Event::unreachable);
    const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    auto address = SocketAddress::from_path(path_);
    ASSERT_EQ(::bind(socket.get(), address->get(), address->size()), 0);
    ASSERT_EQ(receiver_->wait(), Event::unreachable) << "bound, but not listening yet";
    ASSERT_EQ(::listen(socket.get(), 1), 0);
    EXPECT_EQ(wait_past_failed_attempts(), Event::connected);
}

TEST_F(FrameReceiverTest, RejectsAServerOfAUserThatIsNotAllowed)
{
    if (::geteuid() != 0)
        GTEST_SKIP() << "needs to become another user";
    constexpr uid_t nobody = 65534;
    std::filesystem::permissions(directory_.path(), std::filesystem::perms::all);
    const auto foreign = testing::listen_as(nobody, path_);
    ASSERT_TRUE(foreign);
    receiver_ = make({.endpoint = {.role = Role::connect, .allowed_uids = {12345}}});
    ASSERT_EQ(receiver_->wait(), Event::rejected);
    EXPECT_EQ(receiver_->close_reason(), wire::CloseReason::forbidden);
    EXPECT_EQ(receiver_->error().detail, "the server's uid 65534 is not allowed");
    receiver_ = make({.endpoint = {.role = Role::connect, .allowed_uids = {nobody}}});
    EXPECT_EQ(receiver_->wait(), Event::connected);
}

TEST_F(FrameReceiverTest, RejectsAClientOfAUserThatIsNotAllowed)
{
    if (::geteuid() != 0)
        GTEST_SKIP() << "needs to become another user";
    constexpr uid_t nobody = 65534;
    std::filesystem::permissions(directory_.path(), std::filesystem::perms::all);
    receiver_ = make({.endpoint = {.role = Role::listen, .mode = 0666, .allowed_uids = {12345}}});
    const auto foreign = testing::connect_as(nobody, path_);
    ASSERT_TRUE(foreign);
    ASSERT_EQ(receiver_->wait(), Event::rejected);
    EXPECT_EQ(receiver_->close_reason(), wire::CloseReason::forbidden);
    EXPECT_EQ(receiver_->error().detail, "uid 65534 may not connect");
    EXPECT_TRUE(testing::is_closed_by_peer(foreign.get()));
    receiver_.reset();
    receiver_ = make({.endpoint = {.role = Role::listen, .mode = 0666, .allowed_uids = {nobody}}});
    const auto allowed = testing::connect_as(nobody, path_);
    EXPECT_EQ(receiver_->wait(), Event::connected);
}

TEST_F(FrameReceiverTest, SendsEncoderRequestOnceTheDialectIsKnown)
{
    receiver_ = make({.endpoint = {.role = Role::connect}, .dialect = wire::Dialect::v2});
    control_.request_encoder({.bitrate = 64000}); // before the connection
    control_.request_encoder({.bitrate = 32000}); // replaces the first
    connect();
    send_all(server_.get(), message_v1("UOKJ", 0, 1, packet_));
    ASSERT_EQ(receiver_->wait(), Event::message);
    const auto request = testing::receive(server_.get(), 17 + 36);
    ASSERT_EQ(request.size(), 17u + 36u);
    EXPECT_EQ(request[4], 2);
    EXPECT_EQ(request[17 + 12] | request[17 + 13] << 8, 32000);
}

TEST_F(FrameReceiverTest, SendsEncoderRequestToEachServerUntilWithdrawn)
{
    receiver_ = make({.endpoint = {.role = Role::connect}, .dialect = wire::Dialect::v2});
    connect();
    control_.request_encoder({.bitrate = 32000});
    next_message();
    next_message(); // nothing is sent twice
    server_.reset();
    ASSERT_EQ(receiver_->wait(), Event::disconnected);
    ASSERT_EQ(wait_past_failed_attempts(), Event::connected);
    server_ = accept_from(listener_.get());
    next_message();
    control_.withdraw_request({.bitrate = 64000});
    next_message();
    control_.request_restart();
    ASSERT_EQ(receiver_->wait(), Event::restarted);
    // The request again, the estimated former settings, and the withdrawal.
    const auto bitrate = [this] {
        const auto message = testing::receive(server_.get(), 17 + 36);
        return message.size() == 17u + 36u && message[4] == 2
                   ? message[17 + 12] | message[17 + 13] << 8
                   : 0;
    };
    EXPECT_EQ(bitrate(), 32000);
    EXPECT_EQ(bitrate(), 64000);
    const auto config = testing::receive(server_.get(), 17 + 12);
    ASSERT_EQ(config.size(), 17u + 12u);
    EXPECT_EQ(config[4], 1);
    EXPECT_TRUE(testing::receive(server_.get(), 1).empty());
    // The next server receives no request.
    ASSERT_EQ(receiver_->wait(), Event::connected);
    server_ = accept_from(listener_.get());
    next_message();
    receiver_.reset();
    EXPECT_TRUE(testing::receive(server_.get(), 1).empty());
}

TEST_F(FrameReceiverTest, RetriesEncoderRequestThatDidNotFitIntoTheSocket)
{
    receiver_ = make({.endpoint = {.role = Role::connect}, .dialect = wire::Dialect::v2});
    connect();
    // More than any socket buffer holds.
    constexpr std::uint32_t requests = 20000;
    for (std::uint32_t bitrate = 1; bitrate <= requests; ++bitrate) {
        control_.request_encoder({.bitrate = bitrate});
        next_message();
    }
    std::vector<char> received;
    const auto drain = [&] {
        std::array<char, 4096> space;
        for (;;) {
            const auto count = ::recv(server_.get(), space.data(), space.size(), MSG_DONTWAIT);
            if (count <= 0)
                return;
            received.insert(received.end(), space.data(), space.data() + count);
        }
    };
    drain();
    EXPECT_LT(received.size(), std::size_t{requests} * (17 + 36))
        << "the socket had room for every message";
    next_message();
    next_message();
    drain();
    ASSERT_GE(received.size(), 17u + 36u);
    const auto *last = received.data() + received.size() - 36;
    EXPECT_EQ(static_cast<unsigned char>(last[12]) | static_cast<unsigned char>(last[13]) << 8,
              requests);
}

TEST_F(FrameReceiverTest, NeverSendsOpusConfigToAV1Server)
{
    connect();
    control_.request_encoder({.bitrate = 32000});
    send_all(server_.get(), message_v1("UOKJ", 0, 1, packet_));
    ASSERT_EQ(receiver_->wait(), Event::message);
    receiver_.reset();
    EXPECT_TRUE(testing::receive(server_.get(), 1).empty());
}

TEST_F(FrameReceiverTest, CountsEachRequestThatTheDialectCannotCarry)
{
    connect();
    next_message();
    EXPECT_EQ(receiver_->unsupported_requests(), 0u);
    control_.request_settings({.config = {.bitrate = 32000}});
    next_message();
    next_message();
    EXPECT_EQ(receiver_->unsupported_requests(), 1u);
    control_.request_settings({.config = {.bitrate = 64000}});
    next_message();
    EXPECT_EQ(receiver_->unsupported_requests(), 2u);
    control_.request_settings({});
    next_message();
    EXPECT_EQ(receiver_->unsupported_requests(), 2u);
}

TEST_F(FrameReceiverTest, SendsHeartbeatsIfConfigured)
{
    receiver_ = make({.endpoint = {.role = Role::connect}, .heartbeat_interval = 1ms});
    connect();
    std::thread other([this] { (void)receiver_->wait(); });
    EXPECT_EQ(testing::receive(server_.get(), 17)[4], 3);
    control_.interrupt();
    other.join();
}

TEST_F(FrameReceiverTest, ClosesTheConnectionToASilentPeer)
{
    receiver_ = make({.endpoint = {.role = Role::connect}, .heartbeat_interval = 2ms});
    connect();
    const auto begin = monotonic_now();
    EXPECT_EQ(receiver_->wait(), Event::disconnected);
    EXPECT_GE(monotonic_now() - begin, 4ms);
    EXPECT_EQ(receiver_->error().kind, ErrorKind::peer_gone);
}

TEST_F(FrameReceiverTest, KeepsTheConnectionAfterNotBeingCalled)
{
    receiver_ = make({.endpoint = {.role = Role::connect}, .heartbeat_interval = 1ms});
    connect();
    send_all(server_.get(), message_v1("UOKJ", 0, 42, packet_));
    std::this_thread::sleep_for(5ms);
    EXPECT_EQ(receiver_->wait(), Event::message);
}

} // namespace
} // namespace jkvm
