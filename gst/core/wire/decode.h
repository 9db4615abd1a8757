// SPDX-License-Identifier: LGPL-2.1-or-later
// Decodes a message's payload: the only place that decides what a message means.
#pragma once

#include "core/wire/control.h"
#include "core/wire/message.h"

#include <variant>

namespace jkvm::wire {

/// Exactly one Opus packet.
struct OpusFrame {
    std::span<const std::byte> packet; ///< the message's payload, borrowed; empty = no frame
    WallTime captured{};               ///< of its first sample; the epoch = not known
};

/// Announces the format of the stream; from a receiver it withdraws that receiver's OpusConfig.
struct Config {
    StreamConfig stream;
    bool operator==(const Config &) const = default;
};

/// Requests other encoder settings.
struct OpusConfig {
    EncoderConfig encoder;
    bool operator==(const OpusConfig &) const = default;
};

/// Ends a microphone session. With a reason it is the last message before a listening end closes
/// the connection.
struct Stop {
    std::optional<CloseReason> reason = {};
    bool operator==(const Stop &) const = default;
};

struct Heartbeat {};

struct Ack {};

/// A message to be skipped: its type is not defined in the dialect, or its payload has the wrong
/// size or a value that is out of range.
struct Unknown {
    std::uint8_t type_code = 0; ///< the number on the wire
};

using Message = std::variant<OpusFrame, Config, OpusConfig, Stop, Heartbeat, Ack, Unknown>;

/// Never fails: a malformed message is Unknown. An OpusFrame borrows the payload of `raw`.
Message decode(const RawMessage &raw);

/// Whether the listening end of the microphone path answers the message with an Ack.
[[nodiscard]] bool requires_ack(const Message &message);

} // namespace jkvm::wire
