// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests how FrameSender combines the encoder requests of its clients.
#include "ipc/send/frame_sender_test.h"

#include <unistd.h>

#include <algorithm>
#include <thread>

namespace jkvm {
namespace {

using testing::send_all;

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
    const auto request = observer_.last_request();
    ASSERT_TRUE(request);
    EXPECT_EQ(request->config.sample_rate, 24000u);
    EXPECT_EQ(request->config.frame_size, 960u); // 40 ms
    EXPECT_EQ(request->config.complexity, 1u);
    EXPECT_EQ(request->config.dtx, true);
}

TEST_F(FrameSenderRequest, IsPartOfTheStatistics)
{
    start_v2();
    const auto first = add_client();
    const auto second = add_client();
    EXPECT_FALSE(sender_->stats().encoder_request);
    request(first, 48000);
    EXPECT_EQ(next_detail(), "bitrate 48000");
    request(second, 64000);
    EXPECT_EQ(next_detail(), "bitrate 48000");
    const auto stats = sender_->stats();
    EXPECT_EQ(stats.encoder_request.value().config.bitrate, 48000u);
    ASSERT_EQ(stats.peers.size(), 2u);
    EXPECT_EQ(stats.peers[0].encoder_request.value().config.bitrate, 48000u);
    EXPECT_EQ(stats.peers[1].encoder_request.value().config.bitrate, 64000u);
}

TEST_F(FrameSenderRequest, IsIgnoredIfItsUserMayNotSteer)
{
    config_.steering_uids = {::geteuid() + 1};
    start_v2();
    auto client = add_client();
    request(client, 48000);
    const auto deadline = monotonic_now() + testing::wait_timeout;
    while (!sender_->stats().peers.at(0).encoder_request && monotonic_now() < deadline)
        std::this_thread::yield();
    client.reset();
    // A request that counts would have been reported before.
    EXPECT_EQ(observer_.event(events_++).removal, RemovalReason::closed);
}

} // namespace
} // namespace jkvm
