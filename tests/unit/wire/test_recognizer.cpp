// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/wire/parser.h"
#include "core/wire/recognizer.h"

#include <gtest/gtest.h>

namespace jkvm::wire {
namespace {

using namespace std::chrono_literals;

constexpr auto today = WallTime(1'790'000'000s); // 2026

void append(std::vector<std::byte> &stream, Format format, std::uint8_t code, WallTime time,
            std::size_t size, std::byte fill = std::byte{0x5A})
{
    const HeaderBytes header(
        format, {.type_code = code, .length = static_cast<std::uint32_t>(size), .timestamp = time});
    stream.insert(stream.end(), header.bytes().begin(), header.bytes().end());
    stream.insert(stream.end(), size, fill);
}

struct Case {
    const char *name;
    Dialect dialect;
    WallTime time;
    std::size_t size;
    std::byte fill;
};

class Recognition : public testing::TestWithParam<Case> {
protected:
    [[nodiscard]] std::vector<std::byte> stream() const
    {
        const auto &c = GetParam();
        std::vector<std::byte> bytes;
        for (int i = 0; i < 3; ++i)
            append(bytes, {Direction::output, c.dialect}, 0, c.time, c.size, c.fill);
        return bytes;
    }
    [[nodiscard]] HeaderForm expected() const
    {
        return GetParam().dialect == Dialect::v3 ? HeaderForm::short_form : HeaderForm::long_form;
    }
};

TEST_P(Recognition, IsCorrectAndConsistentForEveryPrefix)
{
    const auto bytes = stream();
    EXPECT_EQ(recognize_header(Direction::output, bytes), expected());
    for (std::size_t count = 0; count < bytes.size(); ++count) {
        const auto form = recognize_header(Direction::output, std::span(bytes).first(count));
        EXPECT_TRUE(form == expected() || form == HeaderForm::need_more) << count << " bytes";
    }
}

TEST_P(Recognition, DeliversTheFirstMessageToo)
{
    const auto bytes = stream();
    Parser parser(Direction::output, std::nullopt);
    std::copy(bytes.begin(), bytes.end(), parser.space().begin());
    parser.commit(bytes.size());
    RawMessage message;
    for (int i = 0; i < 3; ++i) {
        ASSERT_EQ(parser.next(message), Parser::Outcome::message);
        EXPECT_EQ(message.payload.size(), GetParam().size);
    }
    EXPECT_EQ(parser.next(message), Parser::Outcome::need_more);
    EXPECT_EQ(parser.dialect() == Dialect::v3, GetParam().dialect == Dialect::v3);
}

INSTANTIATE_TEST_SUITE_P(
    Dialects, Recognition,
    testing::Values(Case{"LongHeader", Dialect::v1, today, 240, std::byte{0x5A}},
                    Case{"LongHeaderEmpty", Dialect::v1, today, 0, std::byte{0}},
                    Case{"LongHeaderOfTheEpoch", Dialect::v1, WallTime{}, 240, std::byte{0}},
                    Case{"LongHeaderLargest", Dialect::v2, today, 4096, std::byte{0x19}},
                    Case{"ShortHeader", Dialect::v3, {}, 240, std::byte{0x5A}},
                    Case{"ShortHeaderEmpty", Dialect::v3, {}, 0, std::byte{0}},
                    Case{"ShortHeaderOfFewBytes", Dialect::v3, {}, 3, std::byte{0xFC}},
                    // Byte 16 belongs to the payload here and looks like the most significant byte
                    // of a timestamp.
                    Case{"ShortHeaderThatLooksLong", Dialect::v3, {}, 240, std::byte{0x19}},
                    Case{"ShortHeaderLargest", Dialect::v3, {}, 1024, std::byte{0x18}}),
    [](const auto &info) { return std::string(info.param.name); });

TEST(Recognizer, RecognisesALongHeaderFromItsTimestamp)
{
    std::vector<std::byte> bytes;
    append(bytes, {Direction::output, Dialect::v1}, 0, today, 240);
    EXPECT_EQ(recognize_header(Direction::output, bytes), HeaderForm::long_form);
    bytes.pop_back();
    EXPECT_EQ(recognize_header(Direction::output, bytes), HeaderForm::need_more);
}

TEST(Recognizer, RecognisesNeitherFormInForeignBytes)
{
    const std::vector<std::byte> text(100, std::byte{'x'});
    EXPECT_EQ(recognize_header(Direction::output, text), HeaderForm::neither);
    std::vector<std::byte> bytes;
    append(bytes, {Direction::microphone, Dialect::v1}, 0, today, 10);
    EXPECT_EQ(recognize_header(Direction::output, bytes), HeaderForm::neither);
    bytes.clear();
    append(bytes, {Direction::output, Dialect::v1}, 0, today, 4097);
    EXPECT_EQ(recognize_header(Direction::output, bytes), HeaderForm::neither);
    bytes.clear();
    append(bytes, {Direction::output, Dialect::v1}, 0, WallTime{}, 10);
    bytes.insert(bytes.end(), 20, std::byte{'x'});
    EXPECT_EQ(recognize_header(Direction::output, bytes), HeaderForm::neither);
}

TEST(Recognizer, DistinguishesV2FromV1ByItsControlMessages)
{
    const auto dialect_after = [](std::uint8_t code, std::size_t size) {
        std::vector<std::byte> bytes;
        append(bytes, {Direction::microphone, Dialect::v2}, code, today, size);
        Parser parser(Direction::microphone, std::nullopt);
        std::copy(bytes.begin(), bytes.end(), parser.space().begin());
        parser.commit(bytes.size());
        RawMessage message;
        EXPECT_EQ(parser.next(message), Parser::Outcome::message);
        return std::pair(parser.dialect(), message.type);
    };
    EXPECT_EQ(dialect_after(2, 36),
              std::pair(std::optional(Dialect::v2), MessageType::opus_config));
    EXPECT_EQ(dialect_after(5, 0), std::pair(std::optional(Dialect::v2), MessageType::ack));
    EXPECT_EQ(dialect_after(3, 1), std::pair(std::optional(Dialect::v2), MessageType::stop));
    EXPECT_EQ(dialect_after(2, 0), std::pair(std::optional(Dialect::v1), MessageType::stop));
    EXPECT_EQ(dialect_after(5, 1), std::pair(std::optional(Dialect::v1), MessageType::unknown));
    EXPECT_EQ(dialect_after(6, 0), std::pair(std::optional(Dialect::v1), MessageType::unknown));
    EXPECT_EQ(dialect_after(0, 10), std::pair(std::optional(Dialect::v1), MessageType::opus_frame));
}

TEST(Recognizer, KeepsADialectThatWasSet)
{
    std::vector<std::byte> bytes;
    append(bytes, {Direction::output, Dialect::v1}, 5, today, 0);
    Parser parser(Direction::output, Dialect::v1);
    std::copy(bytes.begin(), bytes.end(), parser.space().begin());
    parser.commit(bytes.size());
    RawMessage message;
    EXPECT_EQ(parser.next(message), Parser::Outcome::message);
    EXPECT_EQ(message.type, MessageType::unknown);
    EXPECT_EQ(parser.dialect(), Dialect::v1);
}

TEST(Recognizer, RecognisesEachConnectionSeparately)
{
    Parser parser(Direction::output, std::nullopt);
    for (const auto dialect : {Dialect::v1, Dialect::v3, Dialect::v1}) {
        parser.reset();
        EXPECT_FALSE(parser.dialect());
        std::vector<std::byte> bytes;
        append(bytes, {Direction::output, dialect}, 0, today, 100);
        append(bytes, {Direction::output, dialect}, 0, today, 100);
        std::copy(bytes.begin(), bytes.end(), parser.space().begin());
        parser.commit(bytes.size());
        RawMessage message;
        EXPECT_EQ(parser.next(message), Parser::Outcome::message);
        EXPECT_EQ(parser.dialect(), dialect);
    }
}

} // namespace
} // namespace jkvm::wire
