// SPDX-License-Identifier: LGPL-2.1-or-later
// Cuts a byte stream into messages, regardless of how the stream was split into reads.
#pragma once

#include "core/wire/header.h"

#include <optional>
#include <string>
#include <vector>

namespace jkvm::wire {

/// Thread-bound. Allocates all memory at construction, so that a peer cannot make it grow.
///
///     auto space = parser.space();
///     parser.commit(read(fd, space.data(), space.size()));
///     while (parser.next(message) == Parser::Outcome::message) ...
class Parser {
public:
    enum class Outcome {
        message,   ///< one message was taken out
        need_more, ///< read more bytes first
        violation, ///< not this protocol, until reset(); violation() describes why
    };

    /// Without a `dialect`, the parser recognises it from the first message.
    Parser(Direction direction, std::optional<Dialect> dialect);

    /// Returns the space for the next bytes; after need_more at least one whole message fits. It
    /// invalidates all payloads that were returned before.
    std::span<std::byte> space();
    /// Adds the first `count` bytes of space() to the stream.
    void commit(std::size_t count);
    /// Takes out one message. Its payload is valid until the next call of space() or reset().
    Outcome next(RawMessage &message);

    /// Prepares for a new connection: discards all bytes, a violation, and a recognised dialect.
    void reset();

    /// The configured or recognised dialect; nothing until it is known. A v2 peer is taken for a v1
    /// peer until it sends a message that only v2 has.
    [[nodiscard]] std::optional<Dialect> dialect() const { return dialect_; }

    /// Describes the violation with the offending value; empty if there was none.
    [[nodiscard]] const std::string &violation() const { return violation_; }

private:
    // Large enough to read many frames at once after a stall.
    static constexpr std::size_t capacity = 4 * max_message_size;

    /// Determines the dialect if possible. Returns whether it is known now.
    bool recognize(std::span<const std::byte> unread);
    Outcome violate(std::string why);

    Direction direction_;
    std::optional<Dialect> given_;
    std::optional<Dialect> dialect_;
    std::vector<std::byte> buffer_;
    std::size_t begin_ = 0; // first byte not yet taken
    std::size_t end_ = 0;   // one past the last byte read
    std::string violation_;
};

} // namespace jkvm::wire
