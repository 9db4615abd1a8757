// SPDX-License-Identifier: LGPL-2.1-or-later
// Encodes and decodes the header of a message.
#pragma once

#include "core/wire/dialect.h"

#include <array>

namespace jkvm::wire {

/// Direction and dialect of a stream, which determine the form of its headers.
struct Format {
    Direction direction = Direction::output;
    Dialect dialect = Dialect::v1;
};

struct Header {
    std::uint8_t type_code = 0;
    std::uint32_t length = 0; ///< of the payload, bytes
    WallTime timestamp{};     ///< not on the wire in a dialect without timestamps
};

/// An encoded header.
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

/// `bytes` has at least 4 bytes.
bool starts_with_magic(Direction direction, std::span<const std::byte> bytes);

enum class HeaderError { none, wrong_magic, impossible_length };

/// `bytes` has at least traits(format.dialect).header_size bytes. On an error `header` has the
/// fields that could be read, so that they can be reported.
HeaderError decode_header(Format format, std::span<const std::byte> bytes, Header &header);

} // namespace jkvm::wire
