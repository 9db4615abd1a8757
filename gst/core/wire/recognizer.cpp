// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/wire/recognizer.h"

namespace jkvm::wire {

namespace {

constexpr std::size_t magic_size = 4;

enum class Answer { no, yes, unknown };

/// Whether a header begins at `offset`.
Answer has_magic_at(Direction direction, std::span<const std::byte> bytes, std::size_t offset)
{
    if (bytes.size() < offset + magic_size)
        return Answer::unknown;
    return starts_with_magic(direction, bytes.subspan(offset)) ? Answer::yes : Answer::no;
}

/// Whether the last byte of a long header, the most significant one of the timestamp, is that of a
/// time between July 2022 and December 2033.
bool has_plausible_time(std::span<const std::byte> bytes)
{
    const auto top = std::to_integer<unsigned>(bytes[traits(Dialect::v1).header_size - 1]);
    return top >= 0x17 && top <= 0x1B;
}

} // namespace

HeaderForm recognize_header(Direction direction, std::span<const std::byte> bytes)
{
    const auto &long_traits = traits(Dialect::v1);
    const auto &short_traits = traits(Dialect::v3);

    if (has_magic_at(direction, bytes, 0) == Answer::no)
        return HeaderForm::neither;
    if (bytes.size() < short_traits.header_size)
        return HeaderForm::need_more;
    Header header;
    if (decode_header({direction, Dialect::v3}, bytes, header) != HeaderError::none &&
        header.length > long_traits.max_payload)
        return HeaderForm::neither;

    // With a short header the message ends earlier, so this is decided first.
    if (header.length <= short_traits.max_payload) {
        const auto answer =
            has_magic_at(direction, bytes, short_traits.header_size + header.length);
        if (answer == Answer::yes)
            return HeaderForm::short_form;
        if (answer == Answer::unknown)
            return HeaderForm::need_more;
    }
    const auto end_of_long = long_traits.header_size + header.length;
    if (bytes.size() >= end_of_long && has_plausible_time(bytes))
        return HeaderForm::long_form;
    switch (has_magic_at(direction, bytes, end_of_long)) {
    case Answer::yes:
        return HeaderForm::long_form;
    case Answer::no:
        return HeaderForm::neither;
    case Answer::unknown:
        break;
    }
    return HeaderForm::need_more;
}

bool is_sign_of_v2(const Header &header)
{
    const auto is_message_of = [&header](Dialect dialect) {
        return is_payload_size(type_of_code(dialect, header.type_code), header.length);
    };
    return !is_message_of(Dialect::v1) && is_message_of(Dialect::v2);
}

} // namespace jkvm::wire
