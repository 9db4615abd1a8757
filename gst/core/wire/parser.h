// SPDX-License-Identifier: LGPL-2.1-or-later
// A byte stream in, messages out, however the stream was cut into reads.
#pragma once

#include "core/wire/header.h"

#include <optional>
#include <string>
#include <vector>

namespace jkvm::wire {

/// Thread-bound. All its memory is allocated at construction: a peer cannot make it grow.
///
///     auto space = parser.space();
///     parser.commit(read(fd, space.data(), space.size()));
///     while (parser.next(message) == Parser::Outcome::message) ...
class Parser {
public:
    enum class Outcome {
        message,   ///< one message was taken out
        need_more, ///< read more bytes first
        violation, ///< not this protocol, for good: violation() says why
    };

    /// Without a dialect it is recognised from the first message.
    Parser(Direction direction, std::optional<Dialect> dialect);

    /// Where the next bytes belong; once next() said need_more, at least one whole message fits.
    /// Ends the life of every payload handed out before.
    std::span<std::byte> space();
    /// The first `count` bytes of space() are filled.
    void commit(std::size_t count);
    /// The payload of `message` is valid until the next call of space() or reset().
    Outcome next(RawMessage &message);

    /// Ready for a new connection: forgets all bytes, any violation, and a dialect that it
    /// recognised.
    void reset();

    /// The dialect that was given or recognised; nothing as long as the bytes do not tell. A peer
    /// that turns out to speak v2 is taken for one that speaks v1 until then.
    [[nodiscard]] std::optional<Dialect> dialect() const { return dialect_; }

    /// A sentence for logs and errors, with the offending value; empty if there was none.
    [[nodiscard]] const std::string &violation() const { return violation_; }

private:
    // Large enough that one read takes many frames when the reader was held up.
    static constexpr std::size_t capacity = 4 * max_message_size;

    /// Whether the dialect is known.
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
