// SPDX-License-Identifier: LGPL-2.1-or-later
// The messages of the JetKVM audio protocol, which docs/protocol.md specifies.
#pragma once

#include "core/base/time.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace jkvm::wire {

/// Direction of the audio. Each one has its own magic number and its own socket.
enum class Direction {
    output,     ///< audio of the controlled machine, to the browser: "JKOU"
    microphone, ///< the browser's microphone, to the controlled machine: "JKMI"
};

/// The types of messages. The table in dialect.cpp has their numbers in each dialect and the sizes
/// of their payloads.
enum class MessageType : std::uint8_t {
    opus_frame,  ///< exactly one Opus packet; an empty one is ignored
    config,      ///< sample rate, channels, frame size
    opus_config, ///< encoder settings
    stop,        ///< the end of a microphone session
    heartbeat,
    ack,
    unknown, ///< a number that the dialect does not define; the last enumerator
};

/// A message as it was cut out of the byte stream; decode() interprets it.
struct RawMessage {
    MessageType type = MessageType::unknown;
    std::uint8_t type_code = 0; ///< the number on the wire
    /// The header's timestamp; the epoch itself in a dialect without timestamps.
    WallTime timestamp{};
    std::span<const std::byte> payload; ///< borrowed; each producer documents its lifetime
};

} // namespace jkvm::wire
