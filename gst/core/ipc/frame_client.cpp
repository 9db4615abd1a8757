// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/frame_client.h"

#include "core/ipc/socket_address.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace jkvm {

FrameClient::FrameClient(Config config)
    : config_(std::move(config)),
      backoff_(config_.first_pause, config_.longest_pause, config_.seed),
      parser_(config_.format.direction, config_.format.dialect)
{}

FrameClient::Event FrameClient::wait()
{
    for (;;) {
        const auto event = connection_ ? wait_for_message() : wait_for_connection();
        if (event != Event::interrupted || !control_.take_restart())
            return event;
        connection_.reset();
        next_try_ = {};
    }
}

FrameClient::Event FrameClient::wait_for_message()
{
    for (;;) {
        if (control_.is_set())
            return Event::interrupted;
        switch (parser_.next(message_)) {
        case wire::Parser::Outcome::message:
            backoff_.reset();
            return Event::message;
        case wire::Parser::Outcome::violation:
            return lose_connection(
                {ErrorKind::protocol_violation, config_.path, parser_.violation()});
        case wire::Parser::Outcome::need_more:
            break;
        }
        std::array<pollfd, 2> fds{{{control_.fd(), POLLIN, 0}, {connection_.get(), POLLIN, 0}}};
        if (::poll(fds.data(), fds.size(), -1) < 0 || fds[0].revents != 0)
            continue; // EINTR, or the control
        const auto space = parser_.space();
        const auto count = ::recv(connection_.get(), space.data(), space.size(), MSG_DONTWAIT);
        if (count > 0)
            parser_.commit(static_cast<std::size_t>(count));
        else if (count == 0)
            return lose_connection({ErrorKind::peer_gone, config_.path, "the server closed it"});
        else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
            return lose_connection(system_error(ErrorKind::peer_gone, config_.path, "recv", errno));
    }
}

FrameClient::Event FrameClient::wait_for_connection()
{
    return sleep_until_next_try() ? connect() : Event::interrupted;
}

bool FrameClient::sleep_until_next_try()
{
    for (;;) {
        const auto pause = std::max(next_try_ - monotonic_now(), nanoseconds(0));
        const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(pause);
        pollfd control{control_.fd(), POLLIN, 0};
        const int count = ::poll(&control, 1, static_cast<int>(milliseconds.count()));
        if (count >= 0)
            return count == 0;
    }
}

FrameClient::Event FrameClient::connect()
{
    const auto fail = [this](Error error) {
        next_try_ = monotonic_now() + backoff_.next();
        error_ = std::move(error);
        return Event::unreachable;
    };
    auto address = SocketAddress::from_path(config_.path);
    if (!address)
        return fail(address.error());
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd)
        return fail(system_error(ErrorKind::out_of_resources, config_.path, "socket", errno));
    if (::connect(fd.get(), address->get(), address->size()) != 0)
        return fail(system_error(ErrorKind::peer_unreachable, config_.path, "connect", errno));
    connection_ = std::move(fd);
    parser_.reset();
    return Event::connected;
}

FrameClient::Event FrameClient::lose_connection(Error error)
{
    connection_.reset();
    error_ = std::move(error);
    // A server that accepts and hangs up at once must not be asked without a pause.
    next_try_ = monotonic_now() + backoff_.next();
    return Event::disconnected;
}

} // namespace jkvm
