// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/send/peer_dialogue.h"

#include "support/raw_socket.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

namespace jkvm {
namespace {

using namespace std::chrono_literals;
using testing::message_v1;
using testing::receive;
using testing::send_all;

constexpr std::size_t header_size = 17;

class PeerDialogueTest : public ::testing::Test {
protected:
    PeerDialogueTest()
    {
        std::array<int, 2> fds{};
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds.data()), 0);
        peer_ = std::make_unique<Peer>(UniqueFd(fds[0]), 100ms);
        other_end_ = UniqueFd(fds[1]);
    }
    PeerDialogue::ReadResult receive_from_peer(const std::vector<std::uint8_t> &bytes)
    {
        send_all(other_end_.get(), bytes);
        return dialogue_.receive(*peer_);
    }
    /// The type numbers of all messages sent until the end of the connection.
    std::vector<std::uint8_t> sent_types()
    {
        peer_.reset();
        std::vector<std::uint8_t> types;
        for (auto header = receive(other_end_.get(), header_size); header.size() == header_size;
             header = receive(other_end_.get(), header_size))
            types.push_back(header[4]);
        return types;
    }

    PeerDialogue dialogue_{{wire::Direction::microphone, wire::Dialect::v1}};
    std::unique_ptr<Peer> peer_;
    UniqueFd other_end_;
    const std::vector<std::uint8_t> heartbeat_ =
        message_v1("IMKJ", 3, testing::wall_clock_ns(), {});
};

TEST_F(PeerDialogueTest, AnswersHeartbeatsOnTheMicrophonePath)
{
    EXPECT_TRUE(receive_from_peer(heartbeat_).has_message);
    EXPECT_TRUE(receive_from_peer(heartbeat_).has_message);
    EXPECT_EQ(sent_types(), (std::vector<std::uint8_t>{4, 4}));
}

TEST_F(PeerDialogueTest, AnswersNothingOnTheOutputPath)
{
    dialogue_ = PeerDialogue({wire::Direction::output, wire::Dialect::v1});
    EXPECT_TRUE(receive_from_peer(message_v1("UOKJ", 3, testing::wall_clock_ns(), {})).has_message);
    EXPECT_TRUE(sent_types().empty());
}

TEST_F(PeerDialogueTest, SkipsAHeartbeatWithAPayload)
{
    const std::vector<std::uint8_t> payload{1};
    EXPECT_TRUE(
        receive_from_peer(message_v1("IMKJ", 3, testing::wall_clock_ns(), payload)).has_message);
    EXPECT_TRUE(sent_types().empty());
}

TEST_F(PeerDialogueTest, WaitsForTheRestOfAMessage)
{
    const std::vector<std::uint8_t> half(heartbeat_.begin(), heartbeat_.begin() + 9);
    const auto result = receive_from_peer(half);
    EXPECT_FALSE(result.has_message);
    EXPECT_FALSE(result.end);
    EXPECT_TRUE(receive_from_peer({heartbeat_.begin() + 9, heartbeat_.end()}).has_message);
}

TEST_F(PeerDialogueTest, ReadsAnEncoderRequestOfAV2Peer)
{
    const auto payload = wire::EncoderConfig{.bitrate = 32000}.encode();
    std::vector<std::uint8_t> bytes(payload.size());
    std::ranges::transform(payload, bytes.begin(), std::to_integer<std::uint8_t>);
    const auto result = receive_from_peer(message_v1("IMKJ", 2, testing::wall_clock_ns(), bytes));
    ASSERT_TRUE(result.encoder_request);
    EXPECT_EQ(result.encoder_request->bitrate, 32000u);
}

TEST_F(PeerDialogueTest, TakesAConfigForTheWithdrawalOfTheRequestBeforeIt)
{
    const auto bytes_of = [](const auto &payload) {
        std::vector<std::uint8_t> bytes(payload.size());
        std::ranges::transform(payload, bytes.begin(), std::to_integer<std::uint8_t>);
        return bytes;
    };
    const auto now = testing::wall_clock_ns();
    const auto request = message_v1("IMKJ", 2, now, bytes_of(wire::EncoderConfig().encode()));
    auto withdrawal = message_v1("IMKJ", 1, now, bytes_of(wire::StreamConfig().encode()));
    auto both = request;
    both.insert(both.end(), withdrawal.begin(), withdrawal.end());
    const auto result = receive_from_peer(both);
    EXPECT_TRUE(result.has_withdrawn_request);
    EXPECT_FALSE(result.encoder_request);
    // A request that follows the withdrawal is reported.
    withdrawal.insert(withdrawal.end(), request.begin(), request.end());
    EXPECT_TRUE(receive_from_peer(withdrawal).encoder_request);
    // A Config with an invalid sample rate is not a withdrawal.
    EXPECT_FALSE(
        receive_from_peer(
            message_v1("IMKJ", 1, now, bytes_of(wire::StreamConfig{.sample_rate = 1}.encode())))
            .has_withdrawn_request);
}

TEST_F(PeerDialogueTest, DistinguishesAViolationFromAClose)
{
    const auto wrong = receive_from_peer(std::vector<std::uint8_t>(header_size, 'x'));
    ASSERT_TRUE(wrong.end);
    EXPECT_EQ(wrong.end->kind, ErrorKind::protocol_violation);
    EXPECT_EQ(wrong.end->detail, "wrong magic 78 78 78 78");
    other_end_.reset();
    const auto closed = dialogue_.receive(*peer_);
    ASSERT_TRUE(closed.end);
    EXPECT_EQ(closed.end->kind, ErrorKind::peer_gone);
}

TEST_F(PeerDialogueTest, SendsNoMessageThatTheDialectDoesNotHave)
{
    EXPECT_TRUE(dialogue_.send_control(*peer_, wire::MessageType::opus_config, {}));
    EXPECT_TRUE(dialogue_.send_control(*peer_, wire::MessageType::stop, {}));
    EXPECT_EQ(sent_types(), (std::vector<std::uint8_t>{2}));
}

} // namespace
} // namespace jkvm
