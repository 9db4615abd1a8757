// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/wire/decode.h"

#include "core/base/overload.h"

#include <gtest/gtest.h>

#include <array>
#include <type_traits>

namespace jkvm::wire {
namespace {

using namespace std::chrono_literals;

const std::array<std::byte, 3> three_bytes{};

RawMessage raw(MessageType type, std::span<const std::byte> payload = {})
{
    return {.type = type, .type_code = 9, .timestamp = WallTime(5s), .payload = payload};
}

TEST(Decode, OpusFrameHasThePacketAndItsCaptureTime)
{
    const auto message = decode(raw(MessageType::opus_frame, three_bytes));
    const auto *frame = std::get_if<OpusFrame>(&message);
    ASSERT_NE(frame, nullptr);
    EXPECT_EQ(frame->packet.data(), three_bytes.data());
    EXPECT_EQ(frame->packet.size(), three_bytes.size());
    EXPECT_EQ(frame->captured, WallTime(5s));
}

TEST(Decode, EmptyOpusFrameIsAFrameWithoutAPacket)
{
    const auto message = decode(raw(MessageType::opus_frame));
    const auto *frame = std::get_if<OpusFrame>(&message);
    ASSERT_NE(frame, nullptr);
    EXPECT_TRUE(frame->packet.empty());
}

TEST(Decode, ConfigsHaveTheirValues)
{
    const StreamConfig stream{16000, 1, 320};
    const EncoderConfig encoder{.stream = stream, .bitrate = 32000};
    const auto stream_payload = stream.encode();
    const auto encoder_payload = encoder.encode();
    const auto decoded = decode(raw(MessageType::config, stream_payload));
    const auto request = decode(raw(MessageType::opus_config, encoder_payload));
    ASSERT_TRUE(std::holds_alternative<Config>(decoded));
    EXPECT_EQ(std::get<Config>(decoded), Config{stream});
    ASSERT_TRUE(std::holds_alternative<OpusConfig>(request));
    EXPECT_EQ(std::get<OpusConfig>(request), OpusConfig{encoder});
}

TEST(Decode, MessagesWithoutAPayloadAreTheirType)
{
    EXPECT_TRUE(std::holds_alternative<Stop>(decode(raw(MessageType::stop))));
    EXPECT_TRUE(std::holds_alternative<Heartbeat>(decode(raw(MessageType::heartbeat))));
    EXPECT_TRUE(std::holds_alternative<Ack>(decode(raw(MessageType::ack))));
}

TEST(Decode, StopMayHaveAReason)
{
    for (const auto reason :
         {CloseReason::too_many, CloseReason::replaced, CloseReason::forbidden}) {
        const std::array payload{static_cast<std::byte>(reason)};
        const auto message = decode(raw(MessageType::stop, payload));
        ASSERT_TRUE(std::holds_alternative<Stop>(message));
        EXPECT_EQ(std::get<Stop>(message), Stop{reason});
    }
    for (const auto unknown : {0, 4, 255}) {
        const std::array payload{static_cast<std::byte>(unknown)};
        EXPECT_TRUE(std::holds_alternative<Unknown>(decode(raw(MessageType::stop, payload))));
    }
}

TEST(Decode, MalformedPayloadIsUnknown)
{
    const auto bad_stream = StreamConfig{.sample_rate = 44100}.encode();
    const auto bad_encoder = EncoderConfig{.complexity = 11}.encode();
    for (const auto &message :
         {raw(MessageType::config, three_bytes), raw(MessageType::config, bad_stream),
          raw(MessageType::config), raw(MessageType::opus_config, bad_encoder),
          raw(MessageType::opus_config), raw(MessageType::stop, three_bytes),
          raw(MessageType::heartbeat, three_bytes), raw(MessageType::ack, three_bytes),
          raw(MessageType::unknown), raw(MessageType::unknown, three_bytes)}) {
        const auto decoded = decode(message);
        ASSERT_TRUE(std::holds_alternative<Unknown>(decoded)) << static_cast<int>(message.type);
        EXPECT_EQ(std::get<Unknown>(decoded).type_code, 9);
    }
}

TEST(RequiresAck, IsTrueForConfigsAndHeartbeats)
{
    EXPECT_TRUE(requires_ack(Config{}));
    EXPECT_TRUE(requires_ack(OpusConfig{}));
    EXPECT_TRUE(requires_ack(Heartbeat{}));
    EXPECT_FALSE(requires_ack(OpusFrame{}));
    EXPECT_FALSE(requires_ack(Stop{}));
    EXPECT_FALSE(requires_ack(Ack{}));
    EXPECT_FALSE(requires_ack(Unknown{}));
}

/// Whether std::visit would accept the visitor for a Message.
template <typename Visitor, typename Variant>
struct HandlesAll;
template <typename Visitor, typename... Alternatives>
struct HandlesAll<Visitor, std::variant<Alternatives...>>
    : std::conjunction<std::is_invocable<Visitor, const Alternatives &>...> {};

TEST(Decode, VisitorWithoutAHandlerForAMessageDoesNotCompile)
{
    const Overload complete{[](const OpusFrame &) {},  [](const Config &) {},
                            [](const OpusConfig &) {}, [](const Stop &) {},
                            [](const Heartbeat &) {},  [](const Ack &) {},
                            [](const Unknown &) {}};
    const Overload without_ack{[](const OpusFrame &) {},  [](const Config &) {},
                               [](const OpusConfig &) {}, [](const Stop &) {},
                               [](const Heartbeat &) {},  [](const Unknown &) {}};
    EXPECT_TRUE((HandlesAll<decltype(complete), Message>::value));
    EXPECT_FALSE((HandlesAll<decltype(without_ack), Message>::value));
}

} // namespace
} // namespace jkvm::wire
