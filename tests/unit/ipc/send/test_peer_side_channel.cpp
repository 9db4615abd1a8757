// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests the side channels of a PeerTable.
#include "core/ipc/send/peer_table.h"

#include "core/ipc/socket/connection.h"
#include "support/descriptors.h"
#include "support/raw_socket.h"

#include <gtest/gtest.h>

#include <sys/socket.h>

#include <array>

namespace jkvm {
namespace {

using namespace std::chrono_literals;

constexpr wire::Format format{wire::Direction::output, wire::Dialect::v2};

class PeerSideChannelTest : public ::testing::Test {
protected:
    struct Client {
        UniqueFd connection;
        std::optional<SideChannel> channel;
    };
    /// Adds a peer and sends it a frame.
    Client add()
    {
        std::array<int, 2> ends{};
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
        EXPECT_TRUE(table_.add({.id = ++last_id_, .pid = 0, .uid = 0}, UniqueFd(ends[0]), {}));
        const std::array packet{std::byte(0xFC)};
        table_.send(packet, wall_now(), 20ms, now_, wall_now());
        return {.connection = UniqueFd(ends[1]), .channel = {}};
    }
    /// Reads a frame as jkvmipcsrc does.
    static void take_channel(Client &client)
    {
        std::array<std::byte, 18> frame{};
        EXPECT_EQ(receive_with_side_channel(client.connection.get(), frame, client.channel), 18);
        EXPECT_TRUE(client.channel);
    }
    Client add_with_channel()
    {
        auto client = add();
        take_channel(client);
        return client;
    }
    /// Runs the service thread's loop until no event is pending.
    void serve()
    {
        table_.service_peers(now_);
        for (auto events = poll_.wait(monotonic_now()); !events.empty();
             events = poll_.wait(monotonic_now())) {
            for (const auto &event : events)
                if (const auto result = table_.on_event(event.data.u64, event.events))
                    new_requests_ += result->has_new_request ? 1 : 0;
        }
    }
    /// Returns the newest state, if one has arrived.
    static std::optional<wire::SourceState> newest_state(Client &client)
    {
        std::optional<wire::SourceState> state;
        wire::SideMessage message;
        while (client.channel->receive(message) == SideChannel::Outcome::done)
            state = std::get<wire::SourceState>(message);
        return state;
    }
    void request(Client &client, const wire::SettingsRequest &request)
    {
        EXPECT_EQ(client.channel->send(wire::encode_side_message(request)),
                  SideChannel::Outcome::done);
        serve();
    }
    void send_opus_config(const Client &client, std::uint32_t bitrate)
    {
        EXPECT_TRUE(send_message(client.connection.get(), format, wire::MessageType::opus_config,
                                 wire::EncoderConfig{.bitrate = bitrate}.encode()));
        serve();
    }

    EventPoll poll_;
    PeerTable table_{poll_, format, 500ms, 0ms, {}};
    MonotonicTime now_ = monotonic_now();
    std::uint64_t last_id_ = 0;
    int new_requests_ = 0;
};

const wire::SettingsRequest low{.config = {.bitrate = 32000}, .packet_loss_percentage = 5};

TEST_F(PeerSideChannelTest, CarriesRequestsWithTheNamedFieldsOnly)
{
    auto client = add_with_channel();
    request(client, low);
    EXPECT_EQ(table_.encoder_request(), low);
    EXPECT_EQ(new_requests_, 1);
    EXPECT_EQ(table_.stats().peers[0].encoder_request, low);
    EXPECT_TRUE(table_.stats().peers[0].has_side_channel);
    request(client, {});
    EXPECT_FALSE(table_.encoder_request());
    EXPECT_EQ(new_requests_, 1);
}

TEST_F(PeerSideChannelTest, CombinesItsRequestsWithThoseOfOtherPeers)
{
    auto first = add_with_channel();
    const auto second = add();
    request(first, low);
    send_opus_config(second, 24000);
    EXPECT_EQ(table_.encoder_request().value().config.bitrate, 24000u);
    EXPECT_EQ(table_.encoder_request().value().packet_loss_percentage, 5u);
}

TEST_F(PeerSideChannelTest, HasPrecedenceOverRequestsOnTheConnection)
{
    auto client = add_with_channel();
    send_opus_config(client, 24000);
    EXPECT_EQ(table_.encoder_request().value().config.bitrate, 24000u);
    request(client, low);
    EXPECT_EQ(table_.encoder_request(), low);
    send_opus_config(client, 24000);
    EXPECT_EQ(table_.encoder_request(), low);
}

TEST_F(PeerSideChannelTest, EndsItsRequestWhenItIsClosed)
{
    auto client = add_with_channel();
    request(client, low);
    client.channel.reset();
    serve();
    EXPECT_FALSE(table_.encoder_request());
    EXPECT_FALSE(table_.stats().peers[0].has_side_channel);
    send_opus_config(client, 24000);
    EXPECT_EQ(table_.encoder_request().value().config.bitrate, 24000u);
}

TEST_F(PeerSideChannelTest, SurvivesAnythingThatAPeerSends)
{
    auto client = add_with_channel();
    const std::vector<std::uint8_t> bytes(2000, 0xFF);
    for (int i = 0; i < 3; ++i) {
        ASSERT_EQ(::send(client.channel->fd(), bytes.data(), bytes.size(), MSG_DONTWAIT), 2000);
        serve();
    }
    request(client, low);
    EXPECT_EQ(table_.encoder_request(), low);
}

TEST_F(PeerSideChannelTest, ReportsTheSourceWhenAPeerConnectsAndAtEachChange)
{
    table_.set_source_state({.device_state = "run"});
    auto first = add_with_channel();
    EXPECT_EQ(newest_state(first), (wire::SourceState{.device_state = "run", .listeners = 1}));

    auto second = add_with_channel();
    EXPECT_EQ(newest_state(second), (wire::SourceState{.device_state = "run", .listeners = 2}));
    serve();
    EXPECT_EQ(newest_state(first), (wire::SourceState{.device_state = "run", .listeners = 2}));
    EXPECT_FALSE(newest_state(second)) << "nothing has changed";

    table_.remove({.peer = {.id = 2}, .reason = RemovalReason::closed});
    now_ += PeerTable::min_state_interval;
    serve();
    EXPECT_EQ(newest_state(first), (wire::SourceState{.device_state = "run", .listeners = 1}));
}

TEST_F(PeerSideChannelTest, ReportsFrequentChangesTogether)
{
    auto client = add_with_channel();
    table_.set_source_state({.bitrate = 1});
    serve();
    EXPECT_EQ(newest_state(client).value().bitrate, 1u);
    EXPECT_FALSE(table_.next_deadline(now_));
    table_.set_source_state({.bitrate = 2});
    table_.set_source_state({.bitrate = 3});
    serve();
    EXPECT_FALSE(newest_state(client));
    EXPECT_EQ(table_.next_deadline(now_), now_ + PeerTable::min_state_interval);
    now_ += PeerTable::min_state_interval;
    serve();
    EXPECT_EQ(newest_state(client).value().bitrate, 3u);
    EXPECT_FALSE(table_.next_deadline(now_));
}

TEST_F(PeerSideChannelTest, SendsTheLatestStateToAPeerThatDidNotReadForLong)
{
    auto client = add_with_channel();
    for (std::uint32_t bitrate = 1; bitrate <= 1000; ++bitrate) {
        now_ += PeerTable::min_state_interval;
        table_.set_source_state({.bitrate = bitrate});
        serve();
    }
    EXPECT_FALSE(table_.next_deadline(now_)) << "the poll reports that the peer has read";
    EXPECT_LT(newest_state(client).value().bitrate, 1000u);
    serve();
    EXPECT_EQ(newest_state(client).value().bitrate, 1000u);
}

TEST_F(PeerSideChannelTest, IsClosedOnceAPeerOfAnotherKindHasRead)
{
    const auto before = testing::count_descriptors();
    const auto client = add();
    EXPECT_EQ(testing::count_descriptors(), before + 3) << "the connection and the channel";
    EXPECT_EQ(testing::receive(client.connection.get(), 18).size(), 18u);
    serve();
    EXPECT_EQ(testing::count_descriptors(), before + 2);
    EXPECT_FALSE(table_.stats().peers[0].has_side_channel);
    EXPECT_EQ(table_.size(), 1u);
}

TEST_F(PeerSideChannelTest, LeavesNoDescriptorBehind)
{
    const auto before = testing::count_descriptors();
    for (int i = 0; i < 20; ++i) {
        auto client = i % 2 == 0 ? add() : add_with_channel();
        table_.remove({.peer = {.id = last_id_}, .reason = RemovalReason::closed});
    }
    EXPECT_EQ(testing::count_descriptors(), before);
}

} // namespace
} // namespace jkvm
