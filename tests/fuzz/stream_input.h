// SPDX-License-Identifier: LGPL-2.1-or-later
// Decodes the inputs of the targets that read a stream: five bytes that determine how the stream is
// read, followed by the stream as sent on the wire. make_corpus.py writes them.
#pragma once

#include "core/wire/header.h"

#include <algorithm>
#include <array>
#include <optional>

namespace jkvm::fuzz {

class StreamInput {
public:
    /// One piece of the stream, and the action after it was read: a number below 8, which each
    /// target interprets itself.
    struct Step {
        std::span<const std::byte> bytes;
        unsigned action;
    };

    explicit StreamInput(std::span<const std::byte> bytes)
        : settings_(bytes.empty() ? 0 : std::to_integer<unsigned>(bytes[0])), rest_(bytes)
    {
        rest_ = rest_.subspan(std::min<std::size_t>(1, rest_.size()));
        for (auto &step : steps_) {
            if (rest_.empty())
                return;
            step = std::to_integer<unsigned>(rest_[0]);
            rest_ = rest_.subspan(1);
        }
    }

    [[nodiscard]] wire::Direction direction() const
    {
        return (settings_ & 0x01) != 0 ? wire::Direction::microphone : wire::Direction::output;
    }
    /// The dialect of the connection; nullopt if it is to be recognised.
    [[nodiscard]] std::optional<wire::Dialect> dialect() const
    {
        const auto number = settings_ >> 1 & 0x03;
        if (number == 0)
            return std::nullopt;
        return static_cast<wire::Dialect>(number - 1);
    }
    /// Whether the side under test listens; otherwise it connects.
    [[nodiscard]] bool is_listening() const { return (settings_ & 0x08) != 0; }
    /// Whether the side under test sends the audio; otherwise it receives it.
    [[nodiscard]] bool is_sender() const { return (settings_ & 0x10) != 0; }

    /// The part of the stream that was not yet taken.
    [[nodiscard]] std::span<const std::byte> stream() const { return rest_; }
    /// Takes the next piece. The input's four steps are used in turn.
    Step take()
    {
        const auto step = steps_[taken_ % steps_.size()];
        const auto code = step & 0x1F;
        std::size_t length = code < 16 ? code + 1 : std::size_t{1} << (code - 11);
        if (++taken_ == max_pieces)
            length = rest_.size();
        const auto bytes = rest_.first(std::min(length, rest_.size()));
        rest_ = rest_.subspan(bytes.size());
        return {bytes, step >> 5};
    }

private:
    // After this number of pieces the rest of the stream is taken at once: reading a long stream
    // byte by byte is slow and covers nothing new.
    static constexpr std::size_t max_pieces = 24;

    unsigned settings_;
    // The low five bits encode the length: 1 to 16, then powers of two from 32 to 1048576.
    std::array<unsigned, 4> steps_{0x1F, 0x1F, 0x1F, 0x1F};
    std::size_t taken_ = 0;
    std::span<const std::byte> rest_;
};

} // namespace jkvm::fuzz
