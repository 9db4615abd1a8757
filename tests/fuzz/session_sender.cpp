// SPDX-License-Identifier: LGPL-2.1-or-later
// Fuzzes FrameSender's handling of one peer: frames and control messages go to a peer that reads
// irregularly and sends arbitrary bytes.
#include "check.h"
#include "core/ipc/send/peer_dialogue.h"
#include "core/wire/bytes.h"
#include "sessions.h"

#include <sys/socket.h>

#include <vector>

namespace jkvm::fuzz {

namespace {

using namespace std::chrono_literals;
using wire::MessageType;
using wire::Parser;

// Actions in the steps of the input.
enum Action : unsigned { send_frame = 1, send_longest_frames, send_config, toggle_reading, flush };

std::optional<wire::Dialect> expected_dialect(wire::Dialect dialect)
{
    return dialect == wire::Dialect::v3 ? std::optional(dialect) : std::nullopt;
}

struct Connection {
    UniqueFd sender_end;
    UniqueFd peer_end;
};

Connection make_connection()
{
    std::array<int, 2> fds{};
    check(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds.data()) == 0,
          "a socket pair can be created");
    // The kernel raises this to its minimum. A long message is then sent in part, and a peer that
    // does not read is soon too slow.
    const int size = 1;
    ::setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

class SenderSession {
public:
    explicit SenderSession(StreamInput input) : SenderSession(input, make_connection()) {}

    void run()
    {
        while (is_alive_ && !input_.stream().empty()) {
            const auto step = input_.take();
            send_from_peer(step.bytes);
            receive();
            if (is_alive_)
                act(step.action);
            if (is_reading_)
                read();
        }
        finish();
    }

private:
    SenderSession(StreamInput input, Connection connection)
        : input_(input), format_{input.direction(), input.dialect().value_or(wire::Dialect::v1)},
          peer_end_(std::move(connection.peer_end)), peer_(std::move(connection.sender_end), 100ms),
          dialogue_(format_), sent_by_peer_(format_.direction, expected_dialect(format_.dialect)),
          received_by_peer_(format_.direction, format_.dialect)
    {}

    /// Sends bytes from the peer to the sender.
    void send_from_peer(std::span<const std::byte> bytes)
    {
        const auto sent =
            ::send(peer_end_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        check(sent == static_cast<ssize_t>(bytes.size()),
              "the socket buffer has room for a whole input");
        while (!bytes.empty() && !is_violation_) {
            const auto space = sent_by_peer_.space();
            const auto count = std::min(space.size(), bytes.size());
            std::ranges::copy(bytes.first(count), space.begin());
            sent_by_peer_.commit(count);
            bytes = bytes.subspan(count);
            wire::RawMessage message;
            auto outcome = sent_by_peer_.next(message);
            for (; outcome == Parser::Outcome::message; outcome = sent_by_peer_.next(message)) {
                if (const auto request = wire::EncoderConfig::decode(message.payload);
                    request && message.type == MessageType::opus_config)
                    requested_ = request;
                if (message.type == MessageType::config &&
                    wire::StreamConfig::decode(message.payload))
                    requested_.reset();
                if (message.type == MessageType::heartbeat && message.payload.empty())
                    ++heartbeats_;
            }
            is_violation_ = outcome == Parser::Outcome::violation;
        }
    }

    /// Lets the sender receive a part of the peer's bytes.
    void receive()
    {
        const auto result = dialogue_.receive(peer_);
        if (result.encoder_request || result.has_withdrawn_request)
            reported_request_ = result.encoder_request;
        is_alive_ = !result.end && peer_.flush(wall_now());
        if (result.end && result.end->kind == ErrorKind::protocol_violation)
            check(is_violation_ && result.end->detail == sent_by_peer_.violation(),
                  "a violation is reported only for a violation");
    }

    void act(unsigned action)
    {
        switch (action) {
        case send_frame:
            send(100);
            break;
        case send_longest_frames:
            for (int i = 0; i < 10 && is_alive_; ++i)
                send(wire::traits(format_.dialect).max_payload);
            break;
        case send_config:
            is_alive_ =
                dialogue_.send_control(peer_, MessageType::config, wire::StreamConfig().encode());
            ++configs_;
            break;
        case toggle_reading:
            is_reading_ = !is_reading_;
            break;
        case flush:
            is_alive_ = peer_.flush(wall_now());
            break;
        default:
            break;
        }
    }

    /// Sends a frame that contains its number, counted from 1.
    void send(std::size_t size)
    {
        packet_.resize(size);
        wire::put_le(std::span(packet_), 0, ++frames_);
        OutgoingMessage message(
            wire::HeaderBytes(format_, {.length = static_cast<std::uint32_t>(size)}), packet_,
            20ms);
        is_alive_ = peer_.send(message, wall_now());
        const auto &counters = peer_.counters();
        check(counters.frames + counters.dropped <= frames_, "a frame is counted at most once");
        // The queue is limited to 100 ms; a frame that is sent in part is not dropped.
        check(peer_.queued_frames() <= 6, "the queue is not longer than its limit");
    }

    /// Reads everything that has arrived at the peer.
    void read()
    {
        for (;;) {
            const auto space = received_by_peer_.space();
            const auto count = ::recv(peer_end_.get(), space.data(), space.size(), MSG_DONTWAIT);
            if (count <= 0)
                return;
            received_by_peer_.commit(static_cast<std::size_t>(count));
            wire::RawMessage message;
            auto outcome = received_by_peer_.next(message);
            for (; outcome == Parser::Outcome::message; outcome = received_by_peer_.next(message))
                check_received(message);
            check(outcome == Parser::Outcome::need_more,
                  "the stream to a peer is always well-formed");
        }
    }

    void check_received(const wire::RawMessage &message)
    {
        if (message.type == MessageType::opus_frame) {
            const auto number = wire::get_le<std::uint64_t>(message.payload, 0);
            check(number > last_frame_ && number <= frames_,
                  "frames arrive in order and without duplicates");
            last_frame_ = number;
            ++received_frames_;
        } else if (message.type == MessageType::config) {
            check(configs_-- > 0 &&
                      wire::StreamConfig::decode(message.payload) == wire::StreamConfig(),
                  "a Config arrives unchanged");
        } else {
            check(message.type == MessageType::ack, "no other type of message is sent");
            check(format_.direction == wire::Direction::microphone,
                  "an output sender sends no Acks");
            ++acks_;
        }
    }

    /// Lets the sender read the rest of the peer's bytes, and the peer all remaining messages.
    void finish()
    {
        ::shutdown(peer_end_.get(), SHUT_WR);
        const bool has_ended_early = !is_alive_;
        while (is_alive_) {
            read();
            receive();
        }
        read();
        while (peer_.is_waiting() && peer_.flush(wall_now()))
            read();
        read();
        check(requested_ == reported_request_ || has_ended_early,
              "every encoder request is received");
        check(acks_ <= heartbeats_, "there are no more Acks than heartbeats");
        const auto &counters = peer_.counters();
        check(received_frames_ == counters.frames, "every frame counted as sent has arrived");
        check(counters.frames + counters.dropped == frames_,
              "a frame arrives or is counted as dropped");
        check(configs_ == 0, "a Config is never lost");
    }

    StreamInput input_;
    wire::Format format_;
    UniqueFd peer_end_;
    Peer peer_;
    PeerDialogue dialogue_;
    bool is_alive_ = true;
    bool is_reading_ = true;

    // Bytes sent by the peer, and the state that the sender derived from them.
    Parser sent_by_peer_;
    bool is_violation_ = false;
    std::optional<wire::EncoderConfig> requested_;
    std::optional<wire::EncoderConfig> reported_request_;
    unsigned heartbeats_ = 0;

    // Messages sent to the peer, and those that it received.
    Parser received_by_peer_;
    std::vector<std::byte> packet_;
    std::uint64_t frames_ = 0;
    std::uint64_t received_frames_ = 0;
    std::uint64_t last_frame_ = 0;
    int configs_ = 0; // sent and not yet received
    unsigned acks_ = 0;
};

} // namespace

void run_sender(StreamInput input)
{
    SenderSession(input).run();
}

} // namespace jkvm::fuzz
