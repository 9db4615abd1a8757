// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/wire/parser.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace jkvm::wire {
namespace {

constexpr Format v1_output{Direction::output, Dialect::v1};

struct Received {
    MessageType type;
    std::uint8_t type_code;
    std::int64_t timestamp;
    std::vector<std::byte> payload;
    bool operator==(const Received &) const = default;
};

std::vector<std::byte> payload_of(std::size_t size, unsigned seed)
{
    std::vector<std::byte> payload(size);
    for (std::size_t i = 0; i < size; ++i)
        payload[i] = static_cast<std::byte>(seed + 7 * i);
    return payload;
}

void append(std::vector<std::byte> &stream, Format format, std::uint8_t code, std::int64_t time,
            const std::vector<std::byte> &payload)
{
    const HeaderBytes header(format, {.type_code = code,
                                      .length = static_cast<std::uint32_t>(payload.size()),
                                      .timestamp = WallTime(nanoseconds(time))});
    stream.insert(stream.end(), header.bytes().begin(), header.bytes().end());
    stream.insert(stream.end(), payload.begin(), payload.end());
}

/// Feeds `chunk` like a socket: as many bytes as there is space for, then takes out all messages.
Parser::Outcome feed(Parser &parser, std::span<const std::byte> chunk, std::vector<Received> &out)
{
    RawMessage message;
    auto outcome = Parser::Outcome::need_more;
    while (!chunk.empty()) {
        const auto space = parser.space();
        const auto count = std::min(space.size(), chunk.size());
        std::copy_n(chunk.begin(), count, space.begin());
        parser.commit(count);
        chunk = chunk.subspan(count);
        while ((outcome = parser.next(message)) == Parser::Outcome::message)
            out.push_back({message.type,
                           message.type_code,
                           message.timestamp.time_since_epoch().count(),
                           {message.payload.begin(), message.payload.end()}});
        if (outcome == Parser::Outcome::violation)
            break;
    }
    return outcome;
}

class AnySplit : public testing::TestWithParam<Dialect> {};

TEST_P(AnySplit, OfTheStreamYieldsTheSameMessages)
{
    const Format format{Direction::output, GetParam()};
    const auto limit = traits(format.dialect).max_payload;
    const std::vector<std::size_t> sizes{0, 1, 240, limit, 3, limit - 1, 17, 9, 0, 500};
    std::vector<std::byte> stream;
    std::vector<Received> expected;
    for (std::size_t i = 0; i < 50; ++i) {
        const auto payload = payload_of(sizes[i % sizes.size()], static_cast<unsigned>(i));
        const auto code = static_cast<std::uint8_t>(i % 8); // some are unknown
        const auto time =
            traits(format.dialect).has_timestamp ? static_cast<std::int64_t>(i) * 20'000'000 : 0;
        append(stream, format, code, time, payload);
        expected.push_back({type_of_code(format.dialect, code), code, time, payload});
    }

    std::mt19937 random(1);
    for (const std::size_t longest : {1u, 2u, 16u, 17u, 18u, 300u, 5000u, 100000u}) {
        for (int round = 0; round < 5; ++round) {
            Parser parser(format.direction, format.dialect);
            std::vector<Received> received;
            std::span<const std::byte> rest(stream);
            std::uniform_int_distribution<std::size_t> length(1, longest);
            while (!rest.empty()) {
                const auto count = std::min(length(random), rest.size());
                ASSERT_NE(feed(parser, rest.first(count), received), Parser::Outcome::violation);
                rest = rest.subspan(count);
            }
            ASSERT_EQ(received, expected) << "cut into pieces of at most " << longest;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Parser, AnySplit, testing::Values(Dialect::v1, Dialect::v2, Dialect::v3));

TEST(Parser, ReportsTheWrongMagic)
{
    std::vector<std::byte> stream(17, std::byte{0x47});
    Parser parser(v1_output.direction, v1_output.dialect);
    std::vector<Received> received;
    EXPECT_EQ(feed(parser, stream, received), Parser::Outcome::violation);
    EXPECT_EQ(parser.violation(), "wrong magic 47 47 47 47");
}

TEST(Parser, StopsAtAWrongMagicInMidStream)
{
    std::vector<std::byte> stream;
    append(stream, v1_output, 0, 1, payload_of(10, 1));
    append(stream, {Direction::microphone, Dialect::v1}, 0, 2, payload_of(10, 2));
    append(stream, v1_output, 0, 3, payload_of(10, 3));
    Parser parser(v1_output.direction, v1_output.dialect);
    std::vector<Received> received;
    EXPECT_EQ(feed(parser, stream, received), Parser::Outcome::violation);
    EXPECT_EQ(received.size(), 1u);
    RawMessage message;
    EXPECT_EQ(parser.next(message), Parser::Outcome::violation);
}

TEST(Parser, RefusesAnImpossibleLengthBeforeThePayloadArrives)
{
    for (const std::uint32_t length : {4097u, 0x7FFFFFFFu, 0xFFFFFFFFu}) {
        Parser parser(v1_output.direction, v1_output.dialect);
        std::vector<Received> received;
        const HeaderBytes header(v1_output, {.length = length});
        EXPECT_EQ(feed(parser, header.bytes(), received), Parser::Outcome::violation);
        EXPECT_EQ(parser.violation(),
                  "impossible length " + std::to_string(length) + ", at most 4096");
    }
}

TEST(Parser, ForgetsAPartialMessageAndAViolationOnReset)
{
    Parser parser(v1_output.direction, v1_output.dialect);
    std::vector<Received> received;
    feed(parser, std::vector<std::byte>(20, std::byte{1}), received);
    parser.reset();
    std::vector<std::byte> stream;
    append(stream, v1_output, 0, 1, payload_of(10, 1));
    feed(parser, std::span(stream).first(5), received);
    parser.reset();
    EXPECT_EQ(feed(parser, stream, received), Parser::Outcome::need_more);
    EXPECT_EQ(received.size(), 1u);
    EXPECT_TRUE(parser.violation().empty());
}

} // namespace
} // namespace jkvm::wire
