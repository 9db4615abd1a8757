// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/receive/frame_receiver.h"

#include "core/base/overload.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace jkvm {

namespace {

// Pause after accept() failed: without a free descriptor it would fail immediately each time.
constexpr std::chrono::milliseconds accept_pause{100};

constexpr int no_timeout = -1;

int to_timeout(nanoseconds time)
{
    const auto left = std::max(time, nanoseconds(0));
    return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(left).count());
}

} // namespace

Result<std::unique_ptr<FrameReceiver>> FrameReceiver::open(Config config, ReceiverControl &control)
{
    auto socket = ListeningSocket::open_if_listening(config.endpoint);
    if (!socket)
        return socket.error();
    return std::unique_ptr<FrameReceiver>(
        new FrameReceiver(std::move(config), std::move(*socket), control));
}

FrameReceiver::FrameReceiver(Config config, std::optional<ListeningSocket> socket,
                             ReceiverControl &control)
    : config_(std::move(config)), socket_(std::move(socket)), control_(control),
      schedule_(config_.pauses), watch_(socket_ ? "" : config_.endpoint.path),
      parser_(config_.endpoint.direction, config_.dialect)
{}

FrameReceiver::Event FrameReceiver::wait(MonotonicTime deadline)
{
    deadline_ = deadline;
    for (;;) {
        Event event = Event::interrupted;
        if (connection_)
            event = wait_for_message();
        else
            event = socket_ ? wait_for_client() : wait_for_server();
        if (event != Event::interrupted)
            return event;
        if (control_.take_wake_up()) {
            send_pending_request();
        } else if (control_.take_restart()) {
            schedule_.expedite();
            newest_.on_disconnected();
            if (std::exchange(connection_, UniqueFd()))
                return Event::restarted;
        } else if (control_.is_interrupted()) {
            return event;
        } else if (is_past_deadline()) {
            return Event::timed_out;
        }
    }
}

FrameReceiver::Event FrameReceiver::wait_for_message()
{
    for (;;) {
        if (control_.is_set())
            return Event::interrupted;
        wire::RawMessage raw;
        switch (parser_.next(raw)) {
        case wire::Parser::Outcome::message:
            message_ = wire::decode(raw);
            if (const auto *stop = std::get_if<wire::Stop>(&message_); stop != nullptr && !socket_)
                close_reason_ = stop->reason;
            if (std::exchange(last_dialect_, parser_.dialect()) != parser_.dialect() ||
                std::exchange(has_unsent_request_, false))
                control_.request_wake_up(); // a request may be pending
            acknowledge_message();
            return Event::message;
        case wire::Parser::Outcome::violation:
            return lose_connection(
                {ErrorKind::protocol_violation, config_.endpoint.path, parser_.violation()});
        case wire::Parser::Outcome::need_more:
            break;
        }
        if (is_past_deadline())
            return Event::interrupted;
        // A listening end also accepts clients, because the newest one is served. The connected
        // client is read first, so that new clients cannot prevent that.
        std::array<pollfd, 3> fds{{{control_.fd(), POLLIN, 0},
                                   {connection_.get(), POLLIN, 0},
                                   {may_accept() ? socket_->fd() : -1, POLLIN, 0}}};
        if (::poll(fds.data(), fds.size(), milliseconds_to_deadline()) < 0 || fds[0].revents != 0)
            continue; // EINTR, or the control
        if (fds[1].revents != 0) {
            if (auto error = read_some())
                return lose_connection(std::move(*error));
        } else if (is_peer_silent()) {
            return lose_connection({ErrorKind::peer_gone, config_.endpoint.path,
                                    "no message for " + std::to_string(max_silent_intervals) +
                                        " heartbeat intervals"});
        }
        if (fds[2].revents != 0) {
            if (const auto event = accept_client())
                return *event;
        }
    }
}

/// Returns why the connection ended, if it did.
std::optional<Error> FrameReceiver::read_some()
{
    const auto space = parser_.space();
    const auto count = ::recv(connection_.get(), space.data(), space.size(), MSG_DONTWAIT);
    waiting_ = static_cast<int>(std::max<ssize_t>(count, 0));
    if (count == 0)
        return Error{ErrorKind::peer_gone, config_.endpoint.path, "closed by the peer"};
    if (count > 0) {
        unanswered_heartbeats_ = 0;
        parser_.commit(static_cast<std::size_t>(count));
        // The buffer was too small to read everything.
        if (static_cast<std::size_t>(count) == space.size())
            waiting_ += bytes_to_read(connection_.get());
    } else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        return system_error(ErrorKind::peer_gone, config_.endpoint.path, "recv", errno);
    return std::nullopt;
}

bool FrameReceiver::is_peer_silent() const
{
    return unanswered_heartbeats_ > max_silent_intervals;
}

FrameReceiver::Event FrameReceiver::wait_for_client()
{
    for (;;) {
        if (control_.is_set())
            return Event::interrupted;
        if (const auto event = accept_client())
            return *event;
        if (is_past_deadline())
            return Event::interrupted;
        std::array<pollfd, 2> fds{
            {{control_.fd(), POLLIN, 0}, {may_accept() ? socket_->fd() : -1, POLLIN, 0}}};
        ::poll(fds.data(), fds.size(), milliseconds_to_deadline());
    }
}

/// Returns connected, rejected, or nothing if no client was waiting.
std::optional<FrameReceiver::Event> FrameReceiver::accept_client()
{
    if (!may_accept())
        return std::nullopt;
    auto fd = accept_from(socket_->fd());
    if (!fd) {
        if (errno != EAGAIN && errno != EWOULDBLOCK)
            accept_again_ = monotonic_now() + accept_pause;
        return std::nullopt;
    }
    const auto info = identify(peer_.id + 1, fd.get());
    if (!is_allowed(config_.endpoint, info) || !config_.may_connect(info))
        return reject(fd.get(), wire::CloseReason::forbidden,
                      "uid " + std::to_string(info.uid) + " may not connect");
    if (!newest_.admit(identify_process(info.pid))) {
        invitation_.on_turned_away();
        return reject(fd.get(), wire::CloseReason::replaced,
                      "process " + std::to_string(info.pid) + " was replaced by a newer client");
    }
    if (connection_)
        send_close_reason(connection_.get(), own_format(), wire::CloseReason::replaced);
    adopt(std::move(fd));
    return Event::connected;
}

/// The caller closes the connection `fd`.
FrameReceiver::Event FrameReceiver::reject(int fd, wire::CloseReason reason, std::string detail)
{
    const auto dialect = config_.dialect.value_or(wire::Dialect::v1);
    // Nothing is sent to a user that is not allowed.
    if (socket_ && reason != wire::CloseReason::forbidden)
        send_close_reason(fd, {config_.endpoint.direction, dialect}, reason);
    close_reason_ = reason;
    error_ = {ErrorKind::peer_unreachable, config_.endpoint.path, std::move(detail)};
    return Event::rejected;
}

bool FrameReceiver::is_past_deadline() const
{
    return deadline_ != MonotonicTime::max() && monotonic_now() >= deadline_;
}

bool FrameReceiver::may_accept() const
{
    return socket_ && monotonic_now() >= accept_again_;
}

FrameReceiver::Event FrameReceiver::wait_for_server()
{
    // Armed before the attempt to connect, so that no socket appears unnoticed in between.
    const bool is_watching = watch_.arm();
    for (;;) {
        if (watch_.take_appearance())
            schedule_.on_socket_appeared(monotonic_now());
        if (control_.is_set())
            return Event::interrupted;
        const auto left = schedule_.next_attempt() - monotonic_now();
        if (left <= nanoseconds(0))
            break;
        if (is_past_deadline())
            return Event::interrupted;
        std::array<pollfd, 2> fds{{{control_.fd(), POLLIN, 0}, {watch_.fd(), POLLIN, 0}}};
        ::poll(fds.data(), fds.size(), milliseconds_to_deadline());
    }
    auto connected = connect_to(config_.endpoint);
    if (!connected) {
        schedule_.on_unreachable(monotonic_now(), is_watching);
        error_ = connected.error();
        return Event::unreachable;
    }
    watch_.disarm();
    schedule_.on_connected(monotonic_now());
    const auto info = identify(peer_.id + 1, connected->get());
    if (!is_allowed(config_.endpoint, info)) {
        schedule_.on_closed(monotonic_now(), true);
        return reject(connected->get(), wire::CloseReason::forbidden,
                      "the server's uid " + std::to_string(info.uid) + " is not allowed");
    }
    adopt(std::move(*connected));
    return Event::connected;
}

void FrameReceiver::adopt(UniqueFd connection)
{
    connection_ = std::move(connection);
    close_reason_.reset();
    peer_ = identify(peer_.id + 1, connection_.get());
    buffers_ = set_buffer_sizes(config_.endpoint, connection_.get());
    parser_.reset();
    last_dialect_ = parser_.dialect();
    unanswered_heartbeats_ = 0;
    next_heartbeat_ = monotonic_now() + config_.heartbeat_interval;
    // This peer has not received the current request yet.
    if (auto request = control_.encoder_request_.lock(); *request) {
        (*request)->is_sent = false;
        control_.request_wake_up();
    }
}

FrameReceiver::Event FrameReceiver::lose_connection(Error error)
{
    connection_.reset();
    const auto now = monotonic_now();
    newest_.on_disconnected();
    if (socket_)
        invitation_.on_disconnected(*socket_, now);
    schedule_.on_closed(now, close_reason_.has_value());
    error_ = std::move(error);
    if (close_reason_)
        error_.detail = std::string("turned away by the peer: ") + name_of(*close_reason_);
    return Event::disconnected;
}

void FrameReceiver::acknowledge_message()
{
    const bool is_microphone = config_.endpoint.direction == wire::Direction::microphone;
    if (!is_microphone || !socket_)
        return;
    const auto acknowledge = [this] { send_control(wire::MessageType::ack, {}); };
    std::visit(Overload{
                   [&](const wire::Config &) { acknowledge(); },
                   [&](const wire::OpusConfig &) { acknowledge(); },
                   [&](const wire::Heartbeat &) { acknowledge(); },
                   [](const wire::OpusFrame &) {},
                   [](const wire::Stop &) {},
                   [](const wire::Ack &) {},
                   [](const wire::Unknown &) {},
               },
               message_);
}

void ReceiverControl::request_encoder(const wire::EncoderConfig &config)
{
    set_request({.config = config});
}

void ReceiverControl::withdraw_request(const wire::EncoderConfig &config)
{
    set_request({.config = config, .is_withdrawn = true});
}

void ReceiverControl::set_request(const EncoderRequest &request)
{
    *encoder_request_.lock() = request;
    request_wake_up();
}

void FrameReceiver::send_pending_request()
{
    if (!connection_)
        return; // adopt() requests another wake-up
    auto request = control_.encoder_request_.lock();
    if (!*request || (*request)->is_sent)
        return;
    // The message is sent only if the dialect is known to have it. A peer recognised as v1 may be
    // v2, but a real v1 peer would take OpusConfig for a Stop of a wrong length.
    const auto dialect = parser_.dialect();
    if (!dialect || !wire::type_code(*dialect, wire::MessageType::opus_config))
        return;
    const auto &config = (*request)->config;
    const bool is_withdrawn = (*request)->is_withdrawn;
    // If the socket buffer is full, the next received message triggers another attempt.
    has_unsent_request_ =
        !send_control(wire::MessageType::opus_config, config.encode()) ||
        (is_withdrawn && !send_control(wire::MessageType::config, config.stream.encode()));
    if (has_unsent_request_)
        return;
    (*request)->is_sent = true;
    if (is_withdrawn)
        request->reset();
}

/// Format of the messages that this end sends on the connection.
wire::Format FrameReceiver::own_format() const
{
    return {config_.endpoint.direction, parser_.dialect().value_or(wire::Dialect::v1)};
}

/// Sends the whole message or nothing, without blocking: receiving frames matters more than an
/// answer that the peer does not read. Returns false if it was not sent.
bool FrameReceiver::send_control(wire::MessageType type, std::span<const std::byte> payload)
{
    const auto format = own_format();
    const auto code = wire::type_code(format.dialect, type);
    if (!code)
        return false;
    const wire::HeaderBytes header(format, {.type_code = *code,
                                            .length = static_cast<std::uint32_t>(payload.size()),
                                            .timestamp = wall_now()});
    std::array<iovec, 2> parts{
        {{const_cast<std::byte *>(header.bytes().data()), header.bytes().size()},
         {const_cast<std::byte *>(payload.data()), payload.size()}}};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    const auto sent = ::sendmsg(connection_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    // After a partial message the peer would lose synchronisation, so the connection has to end.
    if (sent > 0 && static_cast<std::size_t>(sent) < header.bytes().size() + payload.size())
        ::shutdown(connection_.get(), SHUT_RDWR);
    return sent > 0;
}

/// Returns the timeout for poll(), and sends a Heartbeat if one is due.
int FrameReceiver::milliseconds_to_deadline()
{
    const auto now = monotonic_now();
    auto deadline = deadline_;
    if (connection_ && config_.heartbeat_interval > nanoseconds(0)) {
        if (now >= next_heartbeat_) {
            next_heartbeat_ = now + config_.heartbeat_interval;
            ++unanswered_heartbeats_;
            if (parser_.dialect()) // its form depends on the dialect
                send_control(wire::MessageType::heartbeat, {});
        }
        deadline = std::min(deadline, next_heartbeat_);
    }
    if (socket_ && now < accept_again_)
        deadline = std::min(deadline, accept_again_);
    if (!socket_ && !connection_)
        deadline = std::min(deadline, schedule_.next_attempt());
    return deadline == MonotonicTime::max() ? no_timeout : to_timeout(deadline - now);
}

} // namespace jkvm
