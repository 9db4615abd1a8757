// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/frame_server.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace jkvm {

namespace {

// What an epoll event is about; clients have their id, which starts at 1.
constexpr std::uint64_t token_listener = 0;
constexpr std::uint64_t token_end = UINT64_MAX;

// When the process has no descriptor left, accept() fails at once, again and again.
constexpr std::chrono::milliseconds accept_pause{100};

ClientInfo identify(std::uint64_t id, int fd)
{
    ClientInfo info{.id = id};
    ucred credentials{};
    socklen_t size = sizeof credentials;
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0) {
        info.pid = credentials.pid;
        info.uid = credentials.uid;
    }
    return info;
}

} // namespace

Result<std::unique_ptr<FrameServer>> FrameServer::start(const Config &config, Observer &observer)
{
    const auto &path = config.socket.path;
    auto socket = ListeningSocket::open(config.socket);
    if (!socket)
        return socket.error();
    UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll)
        return system_error(ErrorKind::out_of_resources, path, "epoll_create1", errno);
    std::unique_ptr<FrameServer> server(
        new FrameServer(config, observer, std::move(*socket), std::move(epoll)));
    if (!server->watch(EPOLL_CTL_ADD, server->socket_.fd(), EPOLLIN, token_listener) ||
        !server->watch(EPOLL_CTL_ADD, server->end_.fd(), EPOLLIN, token_end))
        return system_error(ErrorKind::out_of_resources, path, "epoll_ctl", errno);
    try {
        server->service_ = std::thread(&FrameServer::serve, server.get());
    } catch (const std::system_error &error) {
        return system_error(ErrorKind::out_of_resources, path, "start of the service thread",
                            error.code().value());
    }
    return server;
}

FrameServer::FrameServer(Config config, Observer &observer, ListeningSocket socket, UniqueFd epoll)
    : config_(std::move(config)), observer_(observer), socket_(std::move(socket)),
      epoll_(std::move(epoll))
{}

FrameServer::~FrameServer()
{
    if (service_.joinable()) {
        end_.set();
        service_.join();
    }
    std::vector<ClientInfo> last;
    for (const auto &[id, client] : shared_.lock()->clients)
        last.push_back(client.info);
    for (const auto &client : last)
        observer_.client_removed(client, RemovalReason::server_end, {});
}

void FrameServer::send(std::span<const std::byte> packet, WallTime captured, nanoseconds duration)
{
    const wire::Header header{
        .type_code =
            wire::type_code(config_.format.dialect, wire::MessageType::opus_frame).value_or(0),
        .length = static_cast<std::uint32_t>(packet.size()),
        .timestamp = captured};
    OutgoingMessage message(wire::HeaderBytes(config_.format, header), packet, duration);

    auto shared = shared_.lock();
    ++shared->stats.frames;
    shared->stats.bytes += packet.size();
    for (auto &[id, client] : shared->clients) {
        // A broken connection shows up in the service thread as a hang-up; it is removed there.
        if (client.peer.send(message))
            await_writable(client);
    }
}

FrameServer::Stats FrameServer::stats() const
{
    const auto shared = shared_.lock();
    Stats stats = shared->stats;
    for (const auto &[id, client] : shared->clients) {
        stats.dropped += client.peer.counters().dropped;
        stats.clients.push_back({client.info, client.peer.counters(), client.peer.queued()});
    }
    return stats;
}

bool FrameServer::watch(int operation, int fd, std::uint32_t events, std::uint64_t token)
{
    epoll_event event{};
    event.events = events;
    event.data.u64 = token;
    return ::epoll_ctl(epoll_.get(), operation, fd, &event) == 0;
}

/// Asks for a wake-up once the client can take more, or no longer asks.
void FrameServer::await_writable(Client &client)
{
    if (client.peer.is_waiting() == client.is_writable_awaited)
        return;
    client.is_writable_awaited = client.peer.is_waiting();
    const std::uint32_t events = client.is_writable_awaited ? EPOLLIN | EPOLLOUT : EPOLLIN;
    watch(EPOLL_CTL_MOD, client.peer.fd(), events, client.info.id);
}

void FrameServer::serve()
{
    std::array<epoll_event, 16> events;
    for (;;) {
        const int timeout = is_accepting_ ? -1 : static_cast<int>(accept_pause.count());
        const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), timeout);
        if (count == 0) {
            is_accepting_ = watch(EPOLL_CTL_MOD, socket_.fd(), EPOLLIN, token_listener);
            continue;
        }
        for (int i = 0; i < count; ++i) {
            const auto token = events[static_cast<std::size_t>(i)].data.u64;
            if (token == token_end)
                return;
            if (token == token_listener)
                accept_clients();
            else
                handle_client(token, events[static_cast<std::size_t>(i)].events);
        }
    }
}

void FrameServer::accept_clients()
{
    for (;;) {
        UniqueFd fd(::accept4(socket_.fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!fd) {
            if (errno == EINTR || errno == ECONNABORTED)
                continue;
            if (errno != EAGAIN && errno != EWOULDBLOCK)
                is_accepting_ = !watch(EPOLL_CTL_MOD, socket_.fd(), 0, token_listener);
            return;
        }
        const auto id = next_id_++;
        const auto info = identify(id, fd.get());
        bool is_added = false;
        {
            auto shared = shared_.lock();
            if (shared->clients.size() >= config_.max_clients) {
                ++shared->stats.rejects;
            } else if (watch(EPOLL_CTL_ADD, fd.get(), EPOLLIN, id)) {
                ++shared->stats.connects;
                shared->clients.try_emplace(id, info, Peer(std::move(fd), config_.max_queue_time),
                                            config_.format);
                is_added = true;
            }
        }
        if (is_added)
            observer_.client_added(info);
        else
            observer_.client_removed(info, RemovalReason::too_many,
                                     "at most " + std::to_string(config_.max_clients));
    }
}

void FrameServer::handle_client(std::uint64_t id, std::uint32_t events)
{
    std::optional<Removal> removal;
    {
        auto shared = shared_.lock();
        const auto found = shared->clients.find(id);
        if (found == shared->clients.end())
            return;
        auto &client = found->second;
        if ((events & EPOLLIN) != 0)
            removal = listen_to(client);
        // A hang-up counts after what the client had still to say.
        if (!removal && ((events & (EPOLLHUP | EPOLLERR)) != 0 || !client.peer.flush()))
            removal = Removal{client.info, RemovalReason::closed, {}};
        if (removal)
            remove(*shared, id);
        else
            await_writable(client);
    }
    if (removal)
        observer_.client_removed(removal->client, removal->reason, removal->detail);
}

std::optional<FrameServer::Removal> FrameServer::listen_to(Client &client)
{
    const auto space = client.parser.space();
    const auto count = ::recv(client.peer.fd(), space.data(), space.size(), MSG_DONTWAIT);
    if (count == 0)
        return Removal{client.info, RemovalReason::closed, {}};
    if (count < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
            return std::nullopt;
        return Removal{client.info, RemovalReason::closed,
                       system_error(ErrorKind::peer_gone, {}, "recv", errno).detail};
    }
    client.parser.commit(static_cast<std::size_t>(count));
    // Nothing unasked may be sent to an output client, so all there is to do is keep in step.
    wire::Message message;
    auto outcome = client.parser.next(message);
    while (outcome == wire::Parser::Outcome::message)
        outcome = client.parser.next(message);
    if (outcome == wire::Parser::Outcome::violation)
        return Removal{client.info, RemovalReason::violation, client.parser.violation()};
    return std::nullopt;
}

void FrameServer::remove(Shared &shared, std::uint64_t id)
{
    const auto found = shared.clients.find(id);
    shared.stats.dropped += found->second.peer.counters().dropped;
    if (!found->second.parser.violation().empty())
        ++shared.stats.protocol_errors;
    shared.clients.erase(found); // closes the descriptor, which leaves the epoll set with it
}

} // namespace jkvm
