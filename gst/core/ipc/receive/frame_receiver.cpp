// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/receive/frame_receiver.h"

#include <poll.h>
#include <sys/socket.h>

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
      connection_(PeerConnection{{}, {}, make_parser()})
{}

FrameReceiver::Event FrameReceiver::wait(MonotonicTime deadline)
{
    deadline_ = deadline;
    for (;;) {
        Event event = Event::interrupted;
        if (connection_.fd)
            event = wait_for_message();
        else
            event = socket_ ? wait_for_client() : wait_for_server();
        if (event != Event::interrupted)
            return event;
        if (control_.take_wake_up()) {
            send_pending_requests();
            if (control_.is_wait_ended_.exchange(false))
                return Event::timed_out;
        } else if (control_.take_restart()) {
            schedule_.expedite();
            newest_.on_disconnected();
            queue_.clear(); // their frames are outdated, too
            connection_.side_channel.reset();
            if (std::exchange(connection_.fd, UniqueFd()))
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
        if (std::exchange(is_config_pending_, false)) {
            message_ = *connection_.config;
            return Event::message;
        }
        if (!connection_.is_talking && serve_talking_client())
            return Event::connected;
        wire::RawMessage raw;
        switch (connection_.parser.next(raw)) {
        case wire::Parser::Outcome::message:
            message_ = wire::decode(raw);
            connection_.on_message(message_);
            if (const auto *stop = std::get_if<wire::Stop>(&message_); stop != nullptr && !socket_)
                close_reason_ = stop->reason;
            if (std::exchange(last_dialect_, connection_.parser.dialect()) !=
                    connection_.parser.dialect() ||
                std::exchange(has_unsent_request_, false))
                control_.request_wake_up(); // a request may be pending
            acknowledge_message();
            return Event::message;
        case wire::Parser::Outcome::violation:
            return lose_connection({ErrorKind::protocol_violation, config_.endpoint.path,
                                    connection_.parser.violation()});
        case wire::Parser::Outcome::need_more:
            break;
        }
        if (is_past_deadline())
            return Event::interrupted;
        if (!poll_descriptors())
            continue; // EINTR, or the control
        if (const auto event = handle_input())
            return *event;
    }
}

/// Waits until a descriptor has input. Returns false if a signal or the control ended the wait.
bool FrameReceiver::poll_descriptors()
{
    // A listening end also accepts clients, so that the client policy is applied at once.
    auto &fds = poll_entries_;
    fds.assign({{control_.fd(), POLLIN, 0},
                {connection_.fd.get(), POLLIN, 0},
                {may_accept() ? socket_->fd() : -1, POLLIN, 0}});
    queue_.add_to_poll(fds);
    // Only if there is one: poll() accepts no more entries than the process may have descriptors.
    if (connection_.side_channel && monotonic_now() >= next_state_read_)
        fds.push_back({connection_.side_channel->fd(), POLLIN, 0});
    return ::poll(fds.data(), fds.size(), milliseconds_to_deadline()) >= 0 && fds[0].revents == 0;
}

/// Handles what poll_descriptors() has found. The served client is read first, so that new clients
/// cannot prevent that.
std::optional<FrameReceiver::Event> FrameReceiver::handle_input()
{
    const auto has_input = [](const pollfd &entry) { return entry.revents != 0; };
    const auto &fds = poll_entries_;
    const bool has_state = connection_.side_channel &&
                           fds.back().fd == connection_.side_channel->fd() && has_input(fds.back());
    if (std::any_of(fds.begin() + 3, fds.end() - (has_state ? 1 : 0), has_input))
        queue_.read(config_.endpoint.direction);
    if (has_input(fds[1])) {
        if (auto error = read_some())
            return lose_connection(std::move(*error));
    } else if (is_peer_silent()) {
        return lose_connection(
            {ErrorKind::peer_gone, config_.endpoint.path,
             "no message for " + std::to_string(max_silent_intervals) + " heartbeat intervals"});
    }
    if (has_input(fds[2])) {
        if (const auto event = accept_client())
            return event;
    }
    if (has_state && read_side_channel())
        return Event::source_state;
    return std::nullopt;
}

/// Returns why the connection ended, if it did.
std::optional<Error> FrameReceiver::read_some()
{
    const auto space = connection_.parser.space().size();
    const bool had_received = connection_.has_received;
    const auto count = connection_.receive();
    waiting_ = static_cast<int>(std::max<ssize_t>(count, 0));
    if (count == 0)
        return Error{ErrorKind::peer_gone, config_.endpoint.path, "closed by the peer"};
    if (count > 0) {
        unanswered_heartbeats_ = 0;
        if (!had_received)
            control_.request_wake_up(); // it is known now how requests can be sent
        // The buffer was too small to read everything.
        if (static_cast<std::size_t>(count) == space)
            waiting_ += bytes_to_read(connection_.fd.get());
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
        if (auto next = queue_.take_next()) {
            adopt(std::move(*next));
            return Event::connected;
        }
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
    const auto info = identify(next_id_++, fd.get());
    if (!is_allowed(config_.endpoint, info) || !config_.may_connect(info))
        return reject(fd.get(), wire::CloseReason::forbidden,
                      "uid " + std::to_string(info.uid) + " may not connect");
    return admit(std::move(fd), info);
}

/// Applies the client policy.
std::optional<FrameReceiver::Event> FrameReceiver::admit(UniqueFd fd, const PeerInfo &info)
{
    const bool is_busy = static_cast<bool>(connection_.fd);
    if (config_.policy == ClientPolicy::queue && is_busy && !queue_.is_full()) {
        queue_.add({std::move(fd), info, make_parser()});
        return std::nullopt;
    }
    if (config_.policy != ClientPolicy::replace && is_busy) {
        reconnect_notice_.on_turned_away();
        return reject(fd.get(), wire::CloseReason::too_many, "another client is served");
    }
    if (!newest_.admit(identify_process(info.pid))) {
        reconnect_notice_.on_turned_away();
        return reject(fd.get(), wire::CloseReason::replaced,
                      "process " + std::to_string(info.pid) + " was replaced by a newer client");
    }
    if (is_busy)
        send_close_reason(connection_.fd.get(), own_format(), wire::CloseReason::replaced);
    adopt({std::move(fd), info, make_parser()});
    return Event::connected;
}

/// Swaps the served client, which is not talking, with the first waiting client that is talking.
/// Returns false if there is none.
bool FrameReceiver::serve_talking_client()
{
    auto next = queue_.take_talking();
    if (!next)
        return false;
    queue_.add(std::move(connection_));
    adopt(std::move(*next));
    return true;
}

wire::Parser FrameReceiver::make_parser() const
{
    return {config_.endpoint.direction, config_.dialect};
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
    const auto info = identify(next_id_++, connected->get());
    if (!is_allowed(config_.endpoint, info)) {
        schedule_.on_closed(monotonic_now(), true);
        return reject(connected->get(), wire::CloseReason::forbidden,
                      "the server's uid " + std::to_string(info.uid) + " is not allowed");
    }
    adopt({std::move(*connected), info, make_parser()});
    return Event::connected;
}

void FrameReceiver::adopt(PeerConnection connection)
{
    connection_ = std::move(connection);
    close_reason_.reset();
    buffers_ = set_buffer_sizes(config_.endpoint, connection_.fd.get());
    is_config_pending_ = connection_.config.has_value();
    last_dialect_ = connection_.parser.dialect();
    unanswered_heartbeats_ = 0;
    next_heartbeat_ = monotonic_now() + config_.heartbeat_interval;
    next_state_read_ = {};
    // This peer has not received the current requests yet.
    auto requests = control_.requests_.lock();
    requests->are_settings_sent = requests->settings.is_empty() && !connection_.has_requested;
    requests->is_support_checked = false;
    if (requests->config)
        requests->config->is_sent = false;
    control_.request_wake_up();
}

FrameReceiver::Event FrameReceiver::lose_connection(Error error)
{
    connection_.fd.reset();
    connection_.side_channel.reset();
    const auto now = monotonic_now();
    newest_.on_disconnected();
    if (socket_)
        reconnect_notice_.on_disconnected(*socket_, now);
    schedule_.on_closed(now, close_reason_.has_value());
    error_ = std::move(error);
    if (close_reason_)
        error_.detail = std::string("turned away by the peer: ") + name_of(*close_reason_);
    return Event::disconnected;
}

/// Returns the timeout for poll(), and sends a Heartbeat if one is due.
int FrameReceiver::milliseconds_to_deadline()
{
    const auto now = monotonic_now();
    auto deadline = deadline_;
    if (connection_.fd && config_.heartbeat_interval > nanoseconds(0)) {
        if (now >= next_heartbeat_) {
            next_heartbeat_ = now + config_.heartbeat_interval;
            ++unanswered_heartbeats_;
            if (connection_.parser.dialect()) // its form depends on the dialect
                send_control(wire::MessageType::heartbeat);
        }
        deadline = std::min(deadline, next_heartbeat_);
    }
    if (socket_ && now < accept_again_)
        deadline = std::min(deadline, accept_again_);
    if (connection_.side_channel && now < next_state_read_)
        deadline = std::min(deadline, next_state_read_);
    if (!socket_ && !connection_.fd)
        deadline = std::min(deadline, schedule_.next_attempt());
    return deadline == MonotonicTime::max() ? no_timeout : to_timeout(deadline - now);
}

} // namespace jkvm
