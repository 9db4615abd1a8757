// SPDX-License-Identifier: LGPL-2.1-or-later
// Fuzzes the stream parser, including header decoding, dialect recognition and payload decoding,
// with arbitrary bytes split at arbitrary positions.
#include "check.h"
#include "core/opus/opus_packet.h"
#include "core/wire/bytes.h"
#include "core/wire/control.h"
#include "core/wire/parser.h"
#include "core/wire/recognizer.h"
#include "stream_input.h"

#include <vector>

namespace jkvm::fuzz {

namespace {

using wire::Parser;

template <typename Config>
void check_payload(std::span<const std::byte> payload)
{
    const auto config = Config::decode(payload);
    if (!config)
        return;
    const auto again = config->encode();
    check(std::ranges::equal(again, payload),
          "re-encoding a decoded payload yields the same bytes");
}

void check_packet(std::span<const std::byte> packet)
{
    using namespace std::chrono_literals;
    const auto facts = opus_packet_facts(packet);
    if (!facts)
        return;
    check(facts->frames >= 1 && facts->frames <= 48, "a packet has 1 to 48 frames");
    check(facts->duration() >= 2500us && facts->duration() <= 120ms,
          "a packet lasts 2.5 to 120 ms");
}

/// One pass over a stream that is read in pieces of arbitrary size.
class Reading {
public:
    explicit Reading(const StreamInput &input)
        : direction_(input.direction()), stream_(input.stream()),
          parser_(input.direction(), input.dialect())
    {}

    /// Appends the next bytes of the stream and checks all messages that they complete.
    void feed(std::span<const std::byte> bytes)
    {
        while (!bytes.empty() && outcome_ != Parser::Outcome::violation) {
            const auto space = parser_.space();
            check(space.size() >= wire::max_message_size,
                  "the parser has space for a whole message");
            const auto count = std::min(space.size(), bytes.size());
            std::ranges::copy(bytes.first(count), space.begin());
            parser_.commit(count);
            fed_ += count;
            bytes = bytes.subspan(count);
            take_messages();
        }
    }

    [[nodiscard]] const std::vector<std::size_t> &ends() const { return ends_; }
    [[nodiscard]] const std::vector<wire::MessageType> &types() const { return types_; }
    [[nodiscard]] Parser::Outcome outcome() const { return outcome_; }
    [[nodiscard]] const Parser &parser() const { return parser_; }

private:
    void take_messages()
    {
        wire::RawMessage message;
        while ((outcome_ = parser_.next(message)) == Parser::Outcome::message)
            check_message(message);
        check((outcome_ == Parser::Outcome::violation) == !parser_.violation().empty(),
              "only a violation has a description");
        wire::RawMessage none;
        check(parser_.next(none) == outcome_, "repeated calls return the same outcome");
    }

    /// Checks that the message follows the previous one in the stream and equals its bytes there.
    void check_message(const wire::RawMessage &message)
    {
        const auto dialect = parser_.dialect();
        check(dialect.has_value(), "the dialect is known after the first message");
        const auto &traits = wire::traits(*dialect);
        check(message.payload.size() <= traits.max_payload, "no payload exceeds the limit");
        const wire::HeaderBytes header(
            {direction_, *dialect}, {.type_code = message.type_code,
                                     .length = static_cast<std::uint32_t>(message.payload.size()),
                                     .timestamp = message.timestamp});
        const auto size = header.bytes().size() + message.payload.size();
        check(end_ + size <= fed_, "a message is within the bytes fed so far");
        const auto bytes = stream_.subspan(end_, size);
        check(std::ranges::equal(header.bytes(), bytes.first(traits.header_size)),
              "the header matches the bytes in the stream");
        check(std::ranges::equal(message.payload, bytes.subspan(traits.header_size)),
              "the payload matches the bytes in the stream");
        check(message.type == wire::type_of_code(*dialect, message.type_code),
              "the type matches the type number");
        check_payload<wire::StreamConfig>(message.payload);
        check_payload<wire::EncoderConfig>(message.payload);
        check_packet(message.payload);
        end_ += size;
        ends_.push_back(end_);
        types_.push_back(message.type);
    }

    wire::Direction direction_;
    std::span<const std::byte> stream_;
    Parser parser_;
    std::size_t fed_ = 0; // number of bytes of stream_ that were fed
    std::size_t end_ = 0; // offset of the end of the last message
    std::vector<std::size_t> ends_;
    std::vector<wire::MessageType> types_;
    Parser::Outcome outcome_ = Parser::Outcome::need_more;
};

void check_recognizer(wire::Direction direction, std::span<const std::byte> beginning,
                      std::span<const std::byte> stream)
{
    const auto early = wire::recognize_header(direction, beginning);
    check(early == wire::HeaderForm::need_more ||
              early == wire::recognize_header(direction, stream),
          "further bytes do not change the recognised dialect");
}

void run(std::span<const std::byte> bytes)
{
    StreamInput input(bytes);
    const auto stream = input.stream();
    check_payload<wire::StreamConfig>(stream);
    check_payload<wire::EncoderConfig>(stream);
    check_packet(stream);

    Reading at_once(input);
    at_once.feed(stream);
    Reading in_pieces(input);
    while (!input.stream().empty()) {
        in_pieces.feed(input.take().bytes);
        check_recognizer(input.direction(), stream.first(stream.size() - input.stream().size()),
                         stream);
    }
    check(at_once.ends() == in_pieces.ends() && at_once.types() == in_pieces.types(),
          "the messages do not depend on how the stream is split");
    check(at_once.outcome() == in_pieces.outcome() &&
              at_once.parser().violation() == in_pieces.parser().violation() &&
              at_once.parser().dialect() == in_pieces.parser().dialect(),
          "the final outcome does not depend on how the stream is split");
}

} // namespace

} // namespace jkvm::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
    jkvm::fuzz::run(std::as_bytes(std::span(data, size)));
    return 0;
}
