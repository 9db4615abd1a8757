// SPDX-License-Identifier: LGPL-2.1-or-later
// What the JetKVM audio processes say to each other. docs/protocol.md has the whole protocol.
#pragma once

#include "core/base/time.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace jkvm::wire {

/// Which way the sound goes. Each direction has its own magic number and its own socket.
enum class Direction {
    output,     ///< sound of the controlled machine, to the browser: "JKOU"
    microphone, ///< the browser's microphone, to the controlled machine: "JKMI"
};

/// What a message means; its number on the wire depends on the dialect.
enum class MessageType : std::uint8_t {
    opus_frame,  ///< exactly one Opus packet; an empty one carries nothing
    config,      ///< sample rate, channels, frame size
    opus_config, ///< encoder settings
    stop,        ///< the end of a microphone session
    heartbeat,
    ack,
    unknown, ///< a number this dialect does not know: to be skipped by its length
};

struct Message {
    MessageType type = MessageType::unknown;
    std::uint8_t type_code = 0; ///< the number on the wire
    /// Capture time of the frame's first sample. The epoch itself in a dialect without timestamps.
    WallTime timestamp{};
    std::span<const std::byte> payload; ///< borrowed; each producer says for how long
};

} // namespace jkvm::wire
