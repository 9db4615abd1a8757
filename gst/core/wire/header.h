// SPDX-License-Identifier: LGPL-2.1-or-later
// The header in front of every message.
#pragma once

#include "core/wire/dialect.h"

#include <array>

namespace jkvm::wire {

/// A stream in one direction, in one dialect: all that is needed to read or write a header.
struct Format {
    Direction direction = Direction::output;
    Dialect dialect = Dialect::v1;
};

struct Header {
    std::uint8_t type_code = 0;
    std::uint32_t length = 0; ///< of the payload, bytes
    WallTime timestamp{};     ///< not on the wire in a dialect without timestamps
};

/// A header ready to be sent.
class HeaderBytes {
public:
    HeaderBytes(Format format, const Header &header);
    [[nodiscard]] std::span<const std::byte> bytes() const
    {
        return std::span(storage_).first(size_);
    }

private:
    std::array<std::byte, max_header_size> storage_{};
    std::size_t size_;
};

/// `bytes` holds at least 4.
bool starts_with_magic(Direction direction, std::span<const std::byte> bytes);

enum class HeaderError { none, wrong_magic, impossible_length };

/// `bytes` holds at least traits(format.dialect).header_size bytes. `header` is written as far as
/// it could be read, also on an error, so that the error can be reported with its values.
HeaderError decode_header(Format format, std::span<const std::byte> bytes, Header &header);

} // namespace jkvm::wire
