// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/wire/dialect.h"

#include <array>

namespace jkvm::wire {

namespace {

constexpr std::array<DialectTraits, 3> dialects{{
    {.header_size = 17, .max_payload = 4096, .has_timestamp = true, .has_opus_config = false},
    {.header_size = 17, .max_payload = 4096, .has_timestamp = true, .has_opus_config = true},
    {.header_size = 9, .max_payload = 1024, .has_timestamp = false, .has_opus_config = true},
}};

// The position in the list is the number on the wire.
constexpr std::array types_without_opus_config{MessageType::opus_frame, MessageType::config,
                                               MessageType::stop, MessageType::heartbeat,
                                               MessageType::ack};
constexpr std::array types_with_opus_config{MessageType::opus_frame,  MessageType::config,
                                            MessageType::opus_config, MessageType::stop,
                                            MessageType::heartbeat,   MessageType::ack};

std::span<const MessageType> types(Dialect dialect)
{
    if (traits(dialect).has_opus_config)
        return types_with_opus_config;
    return types_without_opus_config;
}

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
    const auto known = types(dialect);
    for (std::size_t code = 0; code < known.size(); ++code)
        if (known[code] == type)
            return static_cast<std::uint8_t>(code);
    return std::nullopt;
}

MessageType type_of_code(Dialect dialect, std::uint8_t code)
{
    const auto known = types(dialect);
    return code < known.size() ? known[code] : MessageType::unknown;
}

} // namespace jkvm::wire
