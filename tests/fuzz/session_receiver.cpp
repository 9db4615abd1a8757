// SPDX-License-Identifier: LGPL-2.1-or-later
// FrameReceiver on a real socket, and what jkvmipcsrc makes of its messages. One thread plays both
// ends: a parser of its own says beforehand what the receiver has to report, so that wait() is
// called only when it has something to return.
#include "check.h"
#include "core/ipc/receive/frame_receiver.h"
#include "core/ipc/receive/received_stream.h"
#include "sessions.h"

#include <sys/socket.h>

#include <string>
#include <vector>

namespace jkvm::fuzz {

namespace {

using namespace std::chrono_literals;
using Event = FrameReceiver::Event;
using wire::MessageType;
using wire::Parser;

// Of the steps of the input.
enum Action : unsigned { request_encoder = 1, restart, another_peer, interrupt, step_clock };

Endpoint make_endpoint(const StreamInput &input)
{
    return {.path = "@jkvm-fuzz-" + std::to_string(::getpid()),
            .role = input.is_listening() ? Role::listen : Role::connect,
            .direction = input.direction()};
}

bool is_same(const wire::Message &one, const wire::Message &other)
{
    const auto *frame = std::get_if<wire::OpusFrame>(&one);
    const auto *other_frame = std::get_if<wire::OpusFrame>(&other);
    if (frame != nullptr && other_frame != nullptr)
        return frame->captured == other_frame->captured &&
               std::ranges::equal(frame->packet, other_frame->packet);
    const auto *config = std::get_if<wire::Config>(&one);
    const auto *other_config = std::get_if<wire::Config>(&other);
    if (config != nullptr && other_config != nullptr)
        return *config == *other_config;
    const auto *request = std::get_if<wire::OpusConfig>(&one);
    const auto *other_request = std::get_if<wire::OpusConfig>(&other);
    if (request != nullptr && other_request != nullptr)
        return *request == *other_request;
    return one.index() == other.index();
}

/// What the pipeline gets, on its clock.
class Pipeline {
public:
    void connect() { stream_.begin_connection(); }
    void disconnect(bool is_violation)
    {
        stream_.end_connection(is_violation);
        announce_gap();
    }
    void step_clock() { now_.wall += 1h; }

    void take(const wire::Message &message)
    {
        now_.running += 20ms;
        now_.wall += 20ms;
        const auto *opus = std::get_if<wire::OpusFrame>(&message);
        const bool is_frame = opus != nullptr && !opus->packet.empty();
        frames_ += is_frame ? 1 : 0;
        const auto outcome = stream_.take(message, now_);
        const auto *frame = std::get_if<ReceivedStream::Frame>(&outcome);
        const auto &stats = stream_.stats();
        check(stats.frames == frames_, "every frame is counted");
        pushed_ += frame != nullptr ? 1 : 0;
        check(pushed_ + stats.dropped_invalid + stats.dropped_early + stats.dropped_late == frames_,
              "a frame is pushed, or counted under one reason");
        check(stream_.latency() >= 0ns && stream_.latency() <= SourceLatencyReport::max_latency,
              "the latency is bounded");
        if (frame == nullptr) {
            announce_gap();
            return;
        }
        check(is_frame, "only frames are pushed");
        check(frame->duration >= 2495us && frame->duration <= 120240us,
              "a frame lasts 2.5 to 120 ms, slewed by 0.2 %");
        if (frame->gap)
            hear_gap(*frame->gap);
        check(!end_ || frame->time == *end_, "a frame begins where the last frame or gap ended");
        end_ = frame->time + frame->duration;
    }

private:
    void announce_gap()
    {
        if (const auto gap = stream_.announce_gap(now_.running))
            hear_gap(*gap);
    }
    void hear_gap(const Gap &gap)
    {
        check(gap.duration > 0ns, "a gap lasts");
        check(!end_ || gap.start == *end_, "a gap begins where the last frame or gap ended");
        end_ = gap.start + gap.duration;
    }

    ReceivedStream stream_;
    ClockPair now_{1h, WallTime(1'767'323'045s)};
    std::optional<nanoseconds> end_; // of the last frame or gap
    std::uint64_t frames_ = 0;
    std::uint64_t pushed_ = 0;
};

class ReceiverSession {
public:
    explicit ReceiverSession(StreamInput input)
        : input_(input), endpoint_(make_endpoint(input)),
          expected_(endpoint_.direction, input.dialect())
    {
        auto peer_endpoint = endpoint_;
        peer_endpoint.role = Role::listen;
        if (endpoint_.role == Role::connect)
            listener_.emplace(std::move(*ListeningSocket::open(peer_endpoint)));
        auto receiver = FrameReceiver::open({.endpoint = endpoint_,
                                             .dialect = input.dialect(),
                                             .pauses = {.first_pause = 0ns, .longest_pause = 0ns}},
                                            control_);
        check(static_cast<bool>(receiver), "the receiver can be opened");
        receiver_ = std::move(*receiver);
    }

    void run()
    {
        connect();
        bool is_alive = true;
        while (is_alive && !input_.stream().empty()) {
            const auto step = input_.take();
            is_alive = exchange(step.bytes);
            if (is_alive)
                act(step.action);
        }
        if (is_alive)
            hang_up();
        // Whatever the last peer did, the next one is heard.
        connect();
        const auto dialect = input_.dialect().value_or(wire::Dialect::v1);
        const wire::HeaderBytes frame({endpoint_.direction, dialect},
                                      {.timestamp = WallTime(1'767'323'045s)});
        check(exchange(frame.bytes()), "a good frame does no harm");
        check(std::holds_alternative<wire::OpusFrame>(receiver_->message()),
              "a frame of the next peer is received");
    }

private:
    /// A new peer; at a listening receiver it comes while the last one may still be there.
    void connect()
    {
        UniqueFd peer;
        if (!listener_)
            peer = std::move(*connect_to(endpoint_));
        check(receiver_->wait() == Event::connected, "a peer that comes is taken");
        if (listener_)
            peer = accept_from(listener_->fd());
        check(static_cast<bool>(peer), "the connection is there");
        peer_ = std::move(peer);
        expected_.reset();
        may_ask_ = is_requested_;
        pipeline_.connect();
    }

    void hang_up()
    {
        peer_.reset();
        check(receiver_->wait() == Event::disconnected, "the end of a connection is seen");
        pipeline_.disconnect(false);
        check(receiver_->error().kind == ErrorKind::peer_gone, "a close is no violation");
    }

    /// Says `bytes` and lets the receiver report all that is in them. False: it had to hang up.
    bool exchange(std::span<const std::byte> bytes)
    {
        const auto sent =
            ::send(peer_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        check(sent == static_cast<ssize_t>(bytes.size()), "the socket has room for an input");
        std::vector<std::uint8_t> acks;
        while (!bytes.empty()) {
            const auto space = expected_.space();
            const auto count = std::min(space.size(), bytes.size());
            std::ranges::copy(bytes.first(count), space.begin());
            expected_.commit(count);
            bytes = bytes.subspan(count);
            wire::RawMessage message;
            auto outcome = expected_.next(message);
            for (; outcome == Parser::Outcome::message; outcome = expected_.next(message)) {
                hear(message);
                if (is_acked(message))
                    acks.push_back(*wire::type_code(*expected_.dialect(), MessageType::ack));
            }
            if (outcome == Parser::Outcome::violation) {
                check(receiver_->wait() == Event::disconnected, "a violation ends the connection");
                check(receiver_->error().kind == ErrorKind::protocol_violation &&
                          receiver_->error().detail == expected_.violation(),
                      "a violation is called one");
                pipeline_.disconnect(true);
                return false;
            }
        }
        read_answers(acks);
        return true;
    }

    void hear(const wire::RawMessage &expected)
    {
        check(receiver_->wait() == Event::message, "every message is reported");
        const auto &message = receiver_->message();
        check(is_same(message, wire::decode(expected)), "a message is reported as it was sent");
        check(receiver_->dialect() == expected_.dialect(), "the dialect is the one recognised");
        pipeline_.take(message);
    }

    [[nodiscard]] bool is_acked(const wire::RawMessage &message) const
    {
        if (endpoint_.direction != wire::Direction::microphone || endpoint_.role != Role::listen)
            return false;
        switch (message.type) {
        case MessageType::config:
            return wire::StreamConfig::decode(message.payload).has_value();
        case MessageType::opus_config:
            return wire::EncoderConfig::decode(message.payload).has_value();
        case MessageType::heartbeat:
            return message.payload.empty();
        default:
            return false;
        }
    }

    /// All that the receiver has said: Acks of these numbers, and what we asked it to request.
    void read_answers(std::span<const std::uint8_t> acks)
    {
        // For as many, and no more, there is surely room in the socket.
        const bool are_all_there = acks.size() <= 100;
        std::byte first{};
        if (::recv(peer_.get(), &first, 1, MSG_PEEK | MSG_DONTWAIT) == 1)
            acks = read_answers_from(acks);
        check(acks.empty() || !are_all_there, "what was understood is answered");
    }

    /// Those that did not come.
    std::span<const std::uint8_t> read_answers_from(std::span<const std::uint8_t> acks)
    {
        const auto dialect = receiver_->dialect();
        check(dialect.has_value(), "nothing is said in a dialect that is not known");
        // What the receiver writes at once can be read at once: no answer is cut.
        Parser answers(endpoint_.direction, dialect);
        for (;;) {
            const auto space = answers.space();
            const auto count = ::recv(peer_.get(), space.data(), space.size(), MSG_DONTWAIT);
            if (count <= 0)
                return acks;
            answers.commit(static_cast<std::size_t>(count));
            wire::RawMessage message;
            auto outcome = answers.next(message);
            for (; outcome == Parser::Outcome::message; outcome = answers.next(message)) {
                if (message.type == MessageType::opus_config) {
                    check(std::exchange(may_ask_, false),
                          "no encoder is asked for that nobody wanted, nor twice of one peer");
                    check(wire::EncoderConfig::decode(message.payload) == wire::EncoderConfig{},
                          "the encoder is asked for what was wanted");
                    continue;
                }
                check(message.payload.empty(), "an Ack has no payload");
                const auto ack = std::ranges::find(acks, message.type_code);
                check(ack != acks.end(), "there is no answer but to what was understood");
                acks = {std::next(ack), acks.end()};
            }
            check(outcome == Parser::Outcome::need_more, "the answers are in step");
        }
    }

    void act(unsigned action)
    {
        switch (action) {
        case request_encoder:
            control_.request_encoder({});
            is_requested_ = may_ask_ = true;
            break;
        case restart:
            control_.request_restart();
            check(receiver_->wait() == Event::restarted, "a restart that was asked for is made");
            connect();
            break;
        case another_peer:
            if (endpoint_.role == Role::connect)
                hang_up();
            connect();
            break;
        case interrupt:
            control_.interrupt();
            check(receiver_->wait() == Event::interrupted, "an interrupt ends the wait");
            control_.resume();
            break;
        case step_clock:
            pipeline_.step_clock();
            break;
        default:
            break;
        }
    }

    StreamInput input_;
    Endpoint endpoint_;
    ReceiverControl control_;
    std::optional<ListeningSocket> listener_; // of the peer of a connecting receiver
    std::unique_ptr<FrameReceiver> receiver_;
    UniqueFd peer_;
    Parser expected_; // of what the peer says
    Pipeline pipeline_;
    bool is_requested_ = false; // an encoder
    bool may_ask_ = false;      // for it, for that was not yet said to this peer
};

} // namespace

void run_receiver(StreamInput input)
{
    ReceiverSession(input).run();
}

} // namespace jkvm::fuzz
