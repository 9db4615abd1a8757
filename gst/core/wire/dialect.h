// SPDX-License-Identifier: LGPL-2.1-or-later
// Describes the dialects of the protocol: header size, limits, message numbers.
#pragma once

#include "core/wire/message.h"

#include <optional>
#include <string>

namespace jkvm::wire {

enum class Dialect {
    v1, ///< 17-byte header, types 0..4 without OpusConfig
    v2, ///< 17-byte header, types 0..5 (September 2025)
    v3, ///< 9-byte header without a timestamp, types 0..5 (October 2025)
};

struct DialectTraits {
    std::size_t header_size;   ///< bytes
    std::uint32_t max_payload; ///< bytes; a longer message is a protocol violation
    bool has_timestamp;
};

inline constexpr std::size_t max_header_size = 17;
inline constexpr std::size_t max_message_size = max_header_size + 4096;

const DialectTraits &traits(Dialect dialect);
/// Returns the name, such as "v1".
std::string name(Dialect dialect);

/// Returns the number of `type` on the wire; nothing if the dialect does not have the message.
std::optional<std::uint8_t> type_code(Dialect dialect, MessageType type);
/// Whether a payload of `size` bytes is one of that type; false for MessageType::unknown.
bool is_payload_size(MessageType type, std::size_t size);
/// Returns MessageType::unknown for a number that the dialect does not define.
MessageType type_of_code(Dialect dialect, std::uint8_t code);

} // namespace jkvm::wire
