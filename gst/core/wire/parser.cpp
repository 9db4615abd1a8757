// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/wire/parser.h"

#include "core/wire/recognizer.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace jkvm::wire {

namespace {

std::string describe_wrong_magic(std::span<const std::byte> bytes)
{
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), "wrong magic %02x %02x %02x %02x",
                  std::to_integer<unsigned>(bytes[0]), std::to_integer<unsigned>(bytes[1]),
                  std::to_integer<unsigned>(bytes[2]), std::to_integer<unsigned>(bytes[3]));
    return text.data();
}

std::string describe_impossible_length(Dialect dialect, std::uint32_t length)
{
    return "impossible length " + std::to_string(length) + ", at most " +
           std::to_string(traits(dialect).max_payload);
}

} // namespace

Parser::Parser(Direction direction, std::optional<Dialect> dialect)
    : direction_(direction), given_(dialect), dialect_(dialect), buffer_(capacity)
{}

std::span<std::byte> Parser::space()
{
    if (begin_ == end_) {
        begin_ = end_ = 0;
    } else if (capacity - end_ < max_message_size) {
        // The rest is less than one message, so this rarely moves much.
        std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_),
                  buffer_.begin() + static_cast<std::ptrdiff_t>(end_), buffer_.begin());
        end_ -= begin_;
        begin_ = 0;
    }
    return std::span(buffer_).subspan(end_);
}

void Parser::commit(std::size_t count)
{
    end_ += std::min(count, capacity - end_);
}

Parser::Outcome Parser::next(RawMessage &message)
{
    if (!violation_.empty())
        return Outcome::violation;
    const auto unread = std::span<const std::byte>(buffer_).subspan(begin_, end_ - begin_);
    if (!dialect_ && !recognize(unread))
        return violation_.empty() ? Outcome::need_more : Outcome::violation;
    const auto header_size = traits(*dialect_).header_size;
    if (unread.size() < header_size)
        return Outcome::need_more;

    Header header;
    switch (decode_header({direction_, *dialect_}, unread, header)) {
    case HeaderError::wrong_magic:
        return violate(describe_wrong_magic(unread));
    case HeaderError::impossible_length:
        return violate(describe_impossible_length(*dialect_, header.length));
    case HeaderError::none:
        break;
    }
    if (unread.size() < header_size + header.length)
        return Outcome::need_more;

    if (!given_ && dialect_ == Dialect::v1 && is_sign_of_v2(header))
        dialect_ = Dialect::v2;
    message.type = type_of_code(*dialect_, header.type_code);
    message.type_code = header.type_code;
    message.timestamp = header.timestamp;
    message.payload = unread.subspan(header_size, header.length);
    begin_ += header_size + header.length;
    return Outcome::message;
}

bool Parser::recognize(std::span<const std::byte> unread)
{
    switch (recognize_header(direction_, unread)) {
    case HeaderForm::need_more:
        return false;
    case HeaderForm::short_form:
        dialect_ = Dialect::v3;
        return true;
    case HeaderForm::long_form:
        dialect_ = Dialect::v1;
        return true;
    case HeaderForm::neither:
        break;
    }
    Header header;
    if (unread.size() < traits(Dialect::v3).header_size ||
        decode_header({direction_, Dialect::v3}, unread, header) == HeaderError::wrong_magic)
        violate(describe_wrong_magic(unread));
    else if (header.length > traits(Dialect::v1).max_payload)
        violate(describe_impossible_length(Dialect::v1, header.length));
    else
        violate("a first message of " + std::to_string(header.length) +
                " bytes, and no second one after it in any dialect");
    return false;
}

Parser::Outcome Parser::violate(std::string why)
{
    violation_ = std::move(why);
    return Outcome::violation;
}

void Parser::reset()
{
    begin_ = end_ = 0;
    dialect_ = given_;
    violation_.clear();
}

} // namespace jkvm::wire
