// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/wire/dialect.h"

#include "core/wire/control.h"

#include <array>

namespace jkvm::wire {

namespace {

constexpr std::size_t dialect_count = 3;
constexpr std::array<DialectTraits, dialect_count> dialects{{
    {.header_size = 17, .max_payload = 4096, .has_timestamp = true},
    {.header_size = 17, .max_payload = 4096, .has_timestamp = true},
    {.header_size = 9, .max_payload = 1024, .has_timestamp = false},
}};

constexpr int none = -1;

struct MessageTraits {
    MessageType type;
    std::array<int, dialect_count> codes; // the number on the wire, or none
    std::size_t min_payload;              // bytes
    std::size_t max_payload;
};

constexpr std::array messages{
    MessageTraits{MessageType::opus_frame, {0, 0, 0}, 0, max_message_size},
    MessageTraits{MessageType::config, {1, 1, 1}, StreamConfig::size, StreamConfig::size},
    MessageTraits{MessageType::opus_config, {none, 2, 2}, EncoderConfig::size, EncoderConfig::size},
    MessageTraits{MessageType::stop, {2, 3, 3}, 0, sizeof(CloseReason)},
    MessageTraits{MessageType::heartbeat, {3, 4, 4}, 0, 0},
    MessageTraits{MessageType::ack, {4, 5, 5}, 0, 0},
};

consteval bool has_every_type_in_order()
{
    for (std::size_t i = 0; i < messages.size(); ++i)
        if (messages[i].type != static_cast<MessageType>(i))
            return false;
    return messages.size() == static_cast<std::size_t>(MessageType::unknown);
}
static_assert(has_every_type_in_order());

} // namespace

const DialectTraits &traits(Dialect dialect)
{
    return dialects[static_cast<std::size_t>(dialect)];
}

std::string name(Dialect dialect)
{
    return "v" + std::to_string(static_cast<int>(dialect) + 1);
}

std::optional<std::uint8_t> type_code(Dialect dialect, MessageType type)
{
    if (type == MessageType::unknown)
        return std::nullopt;
    const int code =
        messages[static_cast<std::size_t>(type)].codes[static_cast<std::size_t>(dialect)];
    return code == none ? std::nullopt : std::optional(static_cast<std::uint8_t>(code));
}

MessageType type_of_code(Dialect dialect, std::uint8_t code)
{
    for (const auto &message : messages)
        if (message.codes[static_cast<std::size_t>(dialect)] == code)
            return message.type;
    return MessageType::unknown;
}

bool is_payload_size(MessageType type, std::size_t size)
{
    if (type == MessageType::unknown)
        return false;
    const auto &message = messages[static_cast<std::size_t>(type)];
    return size >= message.min_payload && size <= message.max_payload;
}

} // namespace jkvm::wire
