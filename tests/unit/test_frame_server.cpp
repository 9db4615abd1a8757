// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/frame_server.h"

#include "support/raw_socket.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <cstring>
#include <filesystem>

namespace jkvm {
namespace {

using namespace std::chrono_literals;
using testing::connect_to;
using testing::is_closed_by_peer;
using testing::receive;
using testing::send_all;

class Observer final : public FrameServer::Observer {
public:
    struct Event {
        std::uint64_t id;
        std::optional<RemovalReason> removal; // none: added
        std::string detail;
    };

    void client_added(const ClientInfo &client) override { note({client.id, {}, {}}); }
    void client_removed(const ClientInfo &client, RemovalReason reason,
                        const std::string &detail) override
    {
        note({client.id, reason, detail});
    }
    /// The `count`-th event, once it is there.
    Event event(std::size_t count)
    {
        std::unique_lock lock(mutex_);
        const bool came =
            changed_.wait_for(lock, testing::patience, [&] { return events_.size() > count; });
        return came ? events_[count] : Event{0, {}, "nothing happened"};
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
};

class FrameServerTest : public ::testing::Test {
protected:
    FrameServerTest()
    {
        config_.socket.path = directory_.file("a.sock");
        config_.max_clients = 3;
    }

    void start()
    {
        auto server = FrameServer::start(config_, observer_);
        ASSERT_TRUE(server) << server.error().detail;
        server_ = std::move(*server);
    }
    /// A client, once the server has it.
    UniqueFd add_client()
    {
        auto fd = connect_to(config_.socket.path);
        EXPECT_FALSE(observer_.event(events_++).removal);
        return fd;
    }
    void send(const std::string &text)
    {
        server_->send(std::as_bytes(std::span(text)), WallTime(1234567890123456789ns), 20ms);
    }

    testing::TemporaryDirectory directory_;
    FrameServer::Config config_;
    Observer observer_;
    std::size_t events_ = 0;
    std::unique_ptr<FrameServer> server_;
};

TEST_F(FrameServerTest, EveryClientReadsTheBytesOfTheProtocol)
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

TEST_F(FrameServerTest, NewClientStartsWithTheNextFrame)
{
    start();
    send("old");
    const auto client = add_client();
    send("new");
    const auto bytes = receive(client.get(), 20);
    EXPECT_EQ(std::string(bytes.begin() + 17, bytes.end()), "new");
}

TEST_F(FrameServerTest, ClientThatGoesIsReportedAndTheOthersGoOn)
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
    EXPECT_EQ(server_->stats().clients.size(), 1u);
}

TEST_F(FrameServerTest, ClientThatSendsGarbageIsDisconnectedAlone)
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
    EXPECT_EQ(server_->stats().protocol_errors, 1u);
}

TEST_F(FrameServerTest, ImpossibleLengthCostsTheClientItsConnection)
{
    start();
    const auto hostile = add_client();
    auto bytes = testing::message_v1("UOKJ", 1, 0, {});
    std::memset(bytes.data() + 5, 0xFF, 4);
    send_all(hostile.get(), bytes);
    EXPECT_TRUE(is_closed_by_peer(hostile.get()));
    EXPECT_EQ(observer_.event(events_++).detail, "impossible length 4294967295, at most 4096");
}

TEST_F(FrameServerTest, ControlMessagesAreSwallowedAndNeverAnswered)
{
    start();
    const auto client = add_client();
    const std::vector<std::uint8_t> config(12, 0);
    send_all(client.get(), testing::message_v1("UOKJ", 1, 0, config));
    send_all(client.get(), testing::message_v1("UOKJ", 3, 0, {}));      // Heartbeat
    send_all(client.get(), testing::message_v1("UOKJ", 99, 0, config)); // nobody knows it
    // Behind them, something that makes the server act shows that they were read.
    send("frame");
    const auto bytes = receive(client.get(), 22);
    EXPECT_EQ(bytes[4], 0) << "the first message is the frame, not an answer";
    send_all(client.get(), std::vector<std::uint8_t>(17, 0));
    EXPECT_EQ(observer_.event(events_++).removal, RemovalReason::violation);
    EXPECT_TRUE(receive(client.get(), 1).empty());
}

TEST_F(FrameServerTest, OneClientTooManyIsTurnedAway)
{
    start();
    const auto a = add_client();
    const auto b = add_client();
    const auto c = add_client();
    const auto d = connect_to(config_.socket.path);
    EXPECT_EQ(observer_.event(events_++).removal, RemovalReason::too_many);
    EXPECT_TRUE(is_closed_by_peer(d.get()));
    EXPECT_EQ(server_->stats().rejects, 1u);
    EXPECT_EQ(server_->stats().connects, 3u);
}

TEST_F(FrameServerTest, ClientThatNeverReadsCostsTheOthersNothing)
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
    const auto stats = server_->stats();
    ASSERT_EQ(stats.clients.size(), 2u);
    EXPECT_EQ(stats.clients[1].sent.frames, frames);
    EXPECT_EQ(stats.clients[1].sent.dropped, 0u);
    EXPECT_GT(stats.clients[0].sent.dropped, 1000u);
    EXPECT_LE(stats.clients[0].queued, 100ms);
    EXPECT_EQ(stats.dropped, stats.clients[0].sent.dropped);

    // When it reads again it gets whole frames, first those of the kernel, then the newest.
    std::uint64_t whole = 0;
    while (server_->stats().clients[0].queued > 0ns ||
           whole < server_->stats().clients[0].sent.frames) {
        const auto bytes = receive(stalled.get(), 1017);
        ASSERT_EQ(bytes.size(), 1017u);
        ASSERT_EQ(bytes[0], 0x55);
        ++whole;
    }
    EXPECT_EQ(whole + server_->stats().dropped, frames);
}

TEST_F(FrameServerTest, EndClosesEveryConnectionAndRemovesThePath)
{
    start();
    const auto client = add_client();
    server_.reset();
    EXPECT_TRUE(is_closed_by_peer(client.get()));
    EXPECT_EQ(observer_.event(events_++).removal, RemovalReason::server_end);
    EXPECT_TRUE(std::filesystem::is_empty(directory_.path()));
}

TEST_F(FrameServerTest, DropsOfAClientThatLeftStayCounted)
{
    start();
    auto stalled = add_client();
    for (int i = 0; i < 1000; ++i)
        send(std::string(1000, 'x'));
    const auto before = server_->stats().dropped;
    EXPECT_GT(before, 0u);
    stalled.reset();
    observer_.event(events_++);
    EXPECT_EQ(server_->stats().dropped, before);
}

} // namespace
} // namespace jkvm
