// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/wire/header.h"

#include <gtest/gtest.h>

#include <vector>

namespace jkvm::wire {
namespace {

using namespace std::chrono_literals;

std::vector<unsigned> numbers(std::span<const std::byte> bytes)
{
    std::vector<unsigned> result;
    for (const auto byte : bytes)
        result.push_back(std::to_integer<unsigned>(byte));
    return result;
}

template <typename... T>
std::vector<std::byte> bytes(T... values)
{
    return {static_cast<std::byte>(values)...};
}

// The bytes are written out here instead of taken from the encoder, because JetKVM's other
// processes expect exactly these.
TEST(WireHeader, OpusFrameOfTheOutputPathHasTheBytesOfTheProtocol)
{
    const HeaderBytes header({Direction::output, Dialect::v1},
                             {.type_code = 0,
                              .length = 0x01020304,
                              .timestamp = WallTime(nanoseconds(0x1122334455667788))});
    EXPECT_EQ(numbers(header.bytes()),
              (std::vector<unsigned>{0x55, 0x4F, 0x4B, 0x4A, 0x00, 0x04, 0x03, 0x02, 0x01, 0x88,
                                     0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11}));
}

TEST(WireHeader, MicrophonePathHasItsOwnMagic)
{
    const HeaderBytes header({Direction::microphone, Dialect::v1}, {});
    EXPECT_EQ(numbers(header.bytes().first(4)), (std::vector<unsigned>{0x49, 0x4D, 0x4B, 0x4A}));
}

TEST(WireHeader, HasNoTimestampInTheThirdDialect)
{
    const HeaderBytes header({Direction::output, Dialect::v3}, {.type_code = 3, .length = 5});
    EXPECT_EQ(numbers(header.bytes()),
              (std::vector<unsigned>{0x55, 0x4F, 0x4B, 0x4A, 0x03, 0x05, 0x00, 0x00, 0x00}));
}

TEST(WireHeader, DecodesTheExampleOfTheProtocol)
{
    const auto raw = bytes(0x55, 0x4F, 0x4B, 0x4A, 0x03, 0x00, 0x10, 0x00, 0x00, 0xFE, 0xFF, 0xFF,
                           0xFF, 0xFF, 0xFF, 0xFF, 0xFF);
    Header header;
    ASSERT_EQ(decode_header({Direction::output, Dialect::v1}, raw, header), HeaderError::none);
    EXPECT_EQ(header.type_code, 3);
    EXPECT_EQ(header.length, 4096u);
    EXPECT_EQ(header.timestamp.time_since_epoch(), -2ns); // signed on the wire
}

TEST(WireHeader, RefusesTheMagicOfTheOtherDirection)
{
    const HeaderBytes sent({Direction::microphone, Dialect::v1}, {});
    Header header;
    EXPECT_EQ(decode_header({Direction::output, Dialect::v1}, sent.bytes(), header),
              HeaderError::wrong_magic);
}

TEST(WireHeader, RefusesALengthAboveTheLimitOfTheDialect)
{
    for (const auto dialect : {Dialect::v1, Dialect::v2, Dialect::v3}) {
        const Format format{Direction::output, dialect};
        const auto limit = traits(dialect).max_payload;
        Header header;
        EXPECT_EQ(decode_header(format, HeaderBytes(format, {.length = limit}).bytes(), header),
                  HeaderError::none);
        EXPECT_EQ(decode_header(format, HeaderBytes(format, {.length = limit + 1}).bytes(), header),
                  HeaderError::impossible_length);
        EXPECT_EQ(header.length, limit + 1) << "the report names the value";
    }
}

TEST(WireDialect, NumbersTheMessageTypesAsTheProtocol)
{
    using enum MessageType;
    EXPECT_EQ(type_code(Dialect::v1, opus_frame), 0);
    EXPECT_EQ(type_code(Dialect::v1, config), 1);
    EXPECT_EQ(type_code(Dialect::v1, stop), 2);
    EXPECT_EQ(type_code(Dialect::v1, heartbeat), 3);
    EXPECT_EQ(type_code(Dialect::v1, ack), 4);
    EXPECT_EQ(type_code(Dialect::v1, opus_config), std::nullopt);
    for (const auto dialect : {Dialect::v2, Dialect::v3}) {
        EXPECT_EQ(type_code(dialect, opus_frame), 0);
        EXPECT_EQ(type_code(dialect, config), 1);
        EXPECT_EQ(type_code(dialect, opus_config), 2);
        EXPECT_EQ(type_code(dialect, stop), 3);
        EXPECT_EQ(type_code(dialect, heartbeat), 4);
        EXPECT_EQ(type_code(dialect, ack), 5);
    }
    EXPECT_EQ(type_of_code(Dialect::v1, 2), stop);
    EXPECT_EQ(type_of_code(Dialect::v2, 2), opus_config);
    EXPECT_EQ(type_of_code(Dialect::v1, 5), unknown);
    EXPECT_EQ(type_of_code(Dialect::v3, 255), unknown);
    EXPECT_EQ(type_code(Dialect::v2, unknown), std::nullopt);
}

TEST(WireDialect, LimitsThePayloadOfEachType)
{
    using enum MessageType;
    EXPECT_TRUE(is_payload_size(opus_frame, 0));
    EXPECT_TRUE(is_payload_size(opus_frame, traits(Dialect::v1).max_payload));
    EXPECT_TRUE(is_payload_size(config, 12));
    EXPECT_FALSE(is_payload_size(config, 11));
    EXPECT_TRUE(is_payload_size(opus_config, 36));
    EXPECT_FALSE(is_payload_size(opus_config, 0));
    EXPECT_TRUE(is_payload_size(stop, 0));
    EXPECT_TRUE(is_payload_size(stop, 1));
    EXPECT_FALSE(is_payload_size(stop, 2));
    EXPECT_FALSE(is_payload_size(heartbeat, 1));
    EXPECT_FALSE(is_payload_size(ack, 1));
    EXPECT_FALSE(is_payload_size(unknown, 0));
}

} // namespace
} // namespace jkvm::wire
