// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/wire/header.h"

#include "core/wire/bytes.h"

namespace jkvm::wire {

namespace {

constexpr std::uint32_t magic_output = 0x4A4B4F55;     // "JKOU"
constexpr std::uint32_t magic_microphone = 0x4A4B4D49; // "JKMI"

constexpr std::size_t offset_magic = 0;
constexpr std::size_t offset_type = 4;
constexpr std::size_t offset_length = 5;
constexpr std::size_t offset_timestamp = 9;

constexpr std::uint32_t magic(Direction direction)
{
    return direction == Direction::output ? magic_output : magic_microphone;
}

} // namespace

HeaderBytes::HeaderBytes(Format format, const Header &header)
    : size_(traits(format.dialect).header_size)
{
    put_le(storage_, offset_magic, magic(format.direction));
    storage_[offset_type] = std::byte{header.type_code};
    put_le(storage_, offset_length, header.length);
    if (traits(format.dialect).has_timestamp)
        put_le(storage_, offset_timestamp,
               static_cast<std::uint64_t>(header.timestamp.time_since_epoch().count()));
}

bool starts_with_magic(Direction direction, std::span<const std::byte> bytes)
{
    return get_le<std::uint32_t>(bytes, offset_magic) == magic(direction);
}

HeaderError decode_header(Format format, std::span<const std::byte> bytes, Header &header)
{
    header = {};
    if (!starts_with_magic(format.direction, bytes))
        return HeaderError::wrong_magic;
    header.type_code = std::to_integer<std::uint8_t>(bytes[offset_type]);
    header.length = get_le<std::uint32_t>(bytes, offset_length);
    if (traits(format.dialect).has_timestamp)
        header.timestamp = WallTime(
            nanoseconds(static_cast<std::int64_t>(get_le<std::uint64_t>(bytes, offset_timestamp))));
    if (header.length > traits(format.dialect).max_payload)
        return HeaderError::impossible_length;
    return HeaderError::none;
}

} // namespace jkvm::wire
