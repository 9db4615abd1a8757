// SPDX-License-Identifier: LGPL-2.1-or-later
// Fuzzes FrameReceiver on a real socket, and the handling of its messages in jkvmipcsrc. One thread
// plays both ends of the connection: a separate parser predicts the receiver's events, so that
// wait() is called only if it has an event to return.
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

// Actions in the steps of the input.
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

/// Checks the frames and gaps that the pipeline receives, in running time.
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
              "a frame is pushed or counted under one drop reason");
        check(stream_.latency() >= 0ns && stream_.latency() <= SourceLatencyReport::max_latency,
              "the latency is bounded");
        if (frame == nullptr) {
            announce_gap();
            return;
        }
        check(is_frame, "only frames are pushed");
        check(frame->duration >= 2495us && frame->duration <= 120240us,
              "a frame lasts 2.5 to 120 ms, slewed by at most 0.2 %");
        if (frame->gap)
            check_gap(*frame->gap);
        check(!end_ || frame->time == *end_,
              "a frame starts at the end of the previous frame or gap");
        end_ = frame->time + frame->duration;
    }

private:
    void announce_gap()
    {
        if (const auto gap = stream_.announce_gap(now_.running))
            check_gap(*gap);
    }
    void check_gap(const Gap &gap)
    {
        check(gap.duration > 0ns, "a gap has a duration");
        check(!end_ || gap.start == *end_, "a gap starts at the end of the previous frame or gap");
        end_ = gap.start + gap.duration;
    }

    ReceivedStream stream_;
    ClockPair now_{1h, WallTime(1'767'323'045s)};
    std::optional<nanoseconds> end_; // end time of the last frame or gap
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
        // The receiver serves the next peer regardless of the behavior of the last one.
        connect();
        const auto dialect = input_.dialect().value_or(wire::Dialect::v1);
        const wire::HeaderBytes frame({endpoint_.direction, dialect},
                                      {.timestamp = WallTime(1'767'323'045s)});
        check(exchange(frame.bytes()), "a valid frame is not a violation");
        check(std::holds_alternative<wire::OpusFrame>(receiver_->message()),
              "a frame of the next peer is received");
    }

private:
    /// Connects a new peer. A listening receiver may still have the previous peer.
    void connect()
    {
        UniqueFd peer;
        if (!listener_)
            peer = std::move(*connect_to(endpoint_));
        check(receiver_->wait() == Event::connected, "a new peer is accepted");
        if (listener_)
            peer = accept_from(listener_->fd());
        check(static_cast<bool>(peer), "the connection is established");
        peer_ = std::move(peer);
        expected_.reset();
        is_request_unsent_ = has_request_;
        pipeline_.connect();
    }

    void hang_up()
    {
        peer_.reset();
        check(receiver_->wait() == Event::disconnected, "the end of a connection is reported");
        pipeline_.disconnect(false);
        check(receiver_->error().kind == ErrorKind::peer_gone, "a close is not a violation");
    }

    /// Sends `bytes` and checks all events that they cause. Returns false if the receiver had to
    /// disconnect.
    bool exchange(std::span<const std::byte> bytes)
    {
        const auto sent =
            ::send(peer_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        check(sent == static_cast<ssize_t>(bytes.size()),
              "the socket buffer has room for a whole input");
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
                check_received(message);
                if (is_acked(message))
                    acks.push_back(*wire::type_code(*expected_.dialect(), MessageType::ack));
            }
            if (outcome == Parser::Outcome::violation) {
                check(receiver_->wait() == Event::disconnected, "a violation ends the connection");
                check(receiver_->error().kind == ErrorKind::protocol_violation &&
                          receiver_->error().detail == expected_.violation(),
                      "a violation is reported as a violation");
                pipeline_.disconnect(true);
                return false;
            }
        }
        read_answers(acks);
        return true;
    }

    void check_received(const wire::RawMessage &expected)
    {
        check(receiver_->wait() == Event::message, "every message is reported");
        const auto &message = receiver_->message();
        check(is_same(message, wire::decode(expected)), "a message is reported unchanged");
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

    /// Reads everything that the receiver has sent: Acks with these type numbers, and the encoder
    /// request if there is one.
    void read_answers(std::span<const std::uint8_t> acks)
    {
        // The socket buffer is certain to hold this number of Acks; further ones may be dropped.
        const bool must_be_complete = acks.size() <= 100;
        std::byte first{};
        if (::recv(peer_.get(), &first, 1, MSG_PEEK | MSG_DONTWAIT) == 1)
            acks = read_answers_from(acks);
        check(acks.empty() || !must_be_complete, "every valid message is acknowledged");
    }

    /// Reads the answers that have arrived. Returns the expected Acks that have not.
    std::span<const std::uint8_t> read_answers_from(std::span<const std::uint8_t> acks)
    {
        const auto dialect = receiver_->dialect();
        check(dialect.has_value(), "nothing is sent before the dialect is known");
        // The receiver writes each answer with one call, so that none is read in part.
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
                    check(std::exchange(is_request_unsent_, false),
                          "an encoder request is sent at most once per peer, and only if pending");
                    check(wire::EncoderConfig::decode(message.payload) == wire::EncoderConfig{},
                          "the encoder request has the requested settings");
                    continue;
                }
                check(message.payload.empty(), "an Ack has no payload");
                const auto ack = std::ranges::find(acks, message.type_code);
                check(ack != acks.end(), "an Ack is sent only for a valid message");
                acks = {std::next(ack), acks.end()};
            }
            check(outcome == Parser::Outcome::need_more,
                  "the answers are well-formed and complete");
        }
    }

    void act(unsigned action)
    {
        switch (action) {
        case request_encoder:
            control_.request_encoder({});
            has_request_ = is_request_unsent_ = true;
            break;
        case restart:
            control_.request_restart();
            check(receiver_->wait() == Event::restarted, "a requested restart is reported");
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
    std::optional<ListeningSocket> listener_; // the peer of a connecting receiver
    std::unique_ptr<FrameReceiver> receiver_;
    UniqueFd peer_;
    Parser expected_; // parses the bytes that the peer sends
    Pipeline pipeline_;
    bool has_request_ = false;       // an encoder request was made
    bool is_request_unsent_ = false; // the request was not yet sent to this peer
};

} // namespace

void run_receiver(StreamInput input)
{
    ReceiverSession(input).run();
}

} // namespace jkvm::fuzz
