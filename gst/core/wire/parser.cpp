// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/wire/parser.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace jkvm::wire {

Parser::Parser(Format format) : format_(format), buffer_(capacity) {}

std::span<std::byte> Parser::space()
{
    if (begin_ == end_) {
        begin_ = end_ = 0;
    } else if (capacity - end_ < max_message_size) {
        // What is left is less than one message, so this moves little, and seldom.
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

Parser::Outcome Parser::next(Message &message)
{
    if (!violation_.empty())
        return Outcome::violation;
    const auto unread = std::span<const std::byte>(buffer_).subspan(begin_, end_ - begin_);
    const auto header_size = traits(format_.dialect).header_size;
    if (unread.size() < header_size)
        return Outcome::need_more;

    Header header;
    switch (decode_header(format_, unread, header)) {
    case HeaderError::wrong_magic: {
        std::array<char, 64> text{};
        std::snprintf(text.data(), text.size(), "wrong magic %02x %02x %02x %02x",
                      std::to_integer<unsigned>(unread[0]), std::to_integer<unsigned>(unread[1]),
                      std::to_integer<unsigned>(unread[2]), std::to_integer<unsigned>(unread[3]));
        violation_ = text.data();
        return Outcome::violation;
    }
    case HeaderError::impossible_length:
        violation_ = "impossible length " + std::to_string(header.length) + ", at most " +
                     std::to_string(traits(format_.dialect).max_payload);
        return Outcome::violation;
    case HeaderError::none:
        break;
    }
    if (unread.size() < header_size + header.length)
        return Outcome::need_more;

    message.type = type_of_code(format_.dialect, header.type_code);
    message.type_code = header.type_code;
    message.timestamp = header.timestamp;
    message.payload = unread.subspan(header_size, header.length);
    begin_ += header_size + header.length;
    return Outcome::message;
}

void Parser::reset()
{
    begin_ = end_ = 0;
    violation_.clear();
}

} // namespace jkvm::wire
