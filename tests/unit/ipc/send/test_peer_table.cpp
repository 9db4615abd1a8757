// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests which encoder requests PeerTable combines.
#include "core/ipc/send/peer_table.h"

#include "core/ipc/socket/connection.h"

#include <gtest/gtest.h>

#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <vector>

namespace jkvm {
namespace {

constexpr wire::Format format{wire::Direction::output, wire::Dialect::v2};

class PeerTableTest : public ::testing::Test {
protected:
    void use_steering_uids(std::vector<uid_t> uids)
    {
        table_.emplace(poll_, format, nanoseconds(0), nanoseconds(0), std::move(uids));
    }
    /// Adds a peer of this user, which has the next id. Returns the peer's end of the connection.
    UniqueFd add(uid_t uid)
    {
        std::array<int, 2> ends{};
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
        EXPECT_TRUE(table_->add({.id = ++last_id_, .pid = 0, .uid = uid}, UniqueFd(ends[0]), {}));
        return UniqueFd(ends[1]);
    }
    /// Returns whether the request counts.
    bool request(const UniqueFd &peer, std::uint64_t id, std::uint32_t bitrate)
    {
        const auto payload = wire::EncoderConfig{.bitrate = bitrate}.encode();
        EXPECT_TRUE(send_message(peer.get(), format, wire::MessageType::opus_config, payload));
        const auto result = table_->on_event(id, EPOLLIN);
        return result && result->has_new_request;
    }
    [[nodiscard]] std::optional<std::uint32_t> combined_bitrate() const
    {
        const auto combined = table_->encoder_request();
        return combined ? combined->config.bitrate : std::nullopt;
    }

    EventPoll poll_;
    std::optional<PeerTable> table_;
    std::uint64_t last_id_ = 0;
};

TEST_F(PeerTableTest, CombinesTheRequestsOfAllUsersByDefault)
{
    use_steering_uids({});
    const auto first = add(1000);
    const auto second = add(1001);
    EXPECT_TRUE(request(first, 1, 48000));
    EXPECT_TRUE(request(second, 2, 32000));
    EXPECT_EQ(combined_bitrate(), 32000u);
}

TEST_F(PeerTableTest, CombinesOnlyTheRequestsOfTheSteeringUsers)
{
    use_steering_uids({1000, 1002});
    const auto first = add(1000);
    const auto ignored = add(1001);
    const auto second = add(1002);
    EXPECT_FALSE(request(ignored, 2, 32000));
    EXPECT_FALSE(combined_bitrate());
    EXPECT_TRUE(request(first, 1, 48000));
    EXPECT_TRUE(request(second, 3, 64000));
    EXPECT_FALSE(request(ignored, 2, 24000));
    EXPECT_EQ(combined_bitrate(), 48000u);

    const auto peers = table_->stats().peers;
    ASSERT_EQ(peers.size(), 3u);
    EXPECT_TRUE(peers[0].may_steer);
    EXPECT_FALSE(peers[1].may_steer);
    EXPECT_EQ(peers[1].encoder_request.value().config.bitrate, 24000u);
}

} // namespace
} // namespace jkvm
