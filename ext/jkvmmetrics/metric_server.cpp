// SPDX-License-Identifier: LGPL-2.1-or-later
#include "metric_server.h"

#include "listen_address.h"

#include <prometheus/text_serializer.h>

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <system_error>

namespace jkvm {

namespace {

constexpr std::chrono::milliseconds accept_pause{100};

/// Blocks all signals for its lifetime; threads that start meanwhile inherit the mask and leave the
/// application's signals to its own threads.
class SignalsBlocked {
public:
    SignalsBlocked()
    {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    SignalsBlocked(const SignalsBlocked &) = delete;
    SignalsBlocked &operator=(const SignalsBlocked &) = delete;
    ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

private:
    sigset_t before_{};
};

std::string make_response(const std::string &status, const std::string &body,
                          const std::string &type = "text/plain; charset=utf-8")
{
    return "HTTP/1.1 " + status + "\r\nContent-Type: " + type +
           "\r\nContent-Length: " + std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" +
           body;
}

bool would_block()
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

} // namespace

Result<std::unique_ptr<MetricServer>> MetricServer::start(
    const std::string &address, std::shared_ptr<prometheus::Collectable> metrics)
{
    const auto parsed = ListenAddress::parse(address);
    if (!parsed)
        return Error{ErrorKind::path_unusable, address, "the address is not IP-ADDRESS:PORT"};
    auto listener = parsed->listen();
    if (!listener)
        return listener.error();

    std::unique_ptr<MetricServer> server(new MetricServer);
    server->metrics_ = std::move(metrics);
    server->listener_ = std::move(*listener);
    server->port_ = port_of(server->listener_.get());
    server->is_on_loopback_ = parsed->is_loopback();
    if (server->stop_.fd() < 0)
        return system_error(ErrorKind::out_of_resources, address, "eventfd", errno);
    const SignalsBlocked block;
    try {
        server->thread_ = std::thread(&MetricServer::run, server.get());
    } catch (const std::system_error &error) {
        return system_error(ErrorKind::out_of_resources, address, "pthread_create",
                            error.code().value());
    }
    return server;
}

MetricServer::~MetricServer()
{
    if (!thread_.joinable())
        return;
    stop_.set();
    thread_.join();
}

void MetricServer::run()
{
    std::vector<pollfd> fds;
    for (;;) {
        const bool is_accepting = monotonic_now() >= accept_after_;
        fds = {{stop_.fd(), POLLIN, 0}, {is_accepting ? listener_.get() : -1, POLLIN, 0}};
        for (const auto &connection : connections_)
            fds.push_back({connection.fd.get(),
                           static_cast<short>(connection.response.empty() ? POLLIN : POLLOUT), 0});
        if (::poll(fds.data(), fds.size(), poll_timeout()) < 0)
            continue; // EINTR
        if (fds[0].revents != 0)
            return;
        const auto now = monotonic_now();
        std::size_t i = 2;
        std::erase_if(connections_, [&](Connection &connection) {
            const auto events = fds[i++].revents;
            return (events != 0 && !handle(connection, events)) || now >= connection.deadline;
        });
        if (fds[1].revents != 0)
            accept_connections();
    }
}

int MetricServer::poll_timeout() const
{
    const auto now = monotonic_now();
    auto next = accept_after_ > now ? accept_after_ : MonotonicTime::max();
    for (const auto &connection : connections_)
        next = std::min(next, connection.deadline);
    if (next == MonotonicTime::max())
        return -1;
    const auto left = std::max<nanoseconds>(next - now, nanoseconds(0));
    return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(left).count());
}

void MetricServer::accept_connections()
{
    // Bounded, so that a flood of connections does not keep the others waiting.
    for (std::size_t i = 0; i < max_connections; ++i) {
        UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!fd) {
            if (!would_block()) // no descriptor is available; the listener stays readable
                accept_after_ = monotonic_now() + accept_pause;
            return;
        }
        if (connections_.size() == max_connections)
            make_room();
        connections_.push_back({std::move(fd), monotonic_now() + request_timeout, {}, {}});
        // Most requests have arrived already; if they are answered at once, they cannot be
        // replaced.
        if (auto &connection = connections_.back(); !handle(connection, POLLIN))
            connections_.pop_back();
    }
}

/// Closes the oldest connection, preferably one without a complete request.
void MetricServer::make_room()
{
    auto oldest = std::ranges::find_if(
        connections_, [](const Connection &connection) { return connection.response.empty(); });
    connections_.erase(oldest != connections_.end() ? oldest : connections_.begin());
}

bool MetricServer::handle(Connection &connection, short events)
{
    if (connection.response.empty() && (events & (POLLIN | POLLHUP | POLLERR)) != 0 &&
        !receive(connection))
        return false;
    return connection.response.empty() || send(connection);
}

bool MetricServer::receive(Connection &connection)
{
    std::array<char, 4096> part;
    const auto count = ::recv(connection.fd.get(), part.data(), part.size(), 0);
    if (count <= 0)
        return count < 0 && would_block();
    auto &request = connection.request;
    request.append(part.data(), static_cast<std::size_t>(count));
    const auto end = request.find("\r\n\r\n");
    if (end == std::string::npos && request.size() < max_request_size)
        return true;
    connection.response = end == std::string::npos
                              ? make_response("431 Request Header Fields Too Large", "")
                              : respond_to(std::string_view(request).substr(0, end + 4));
    connection.deadline = monotonic_now() + response_timeout;
    return true;
}

bool MetricServer::send(Connection &connection)
{
    const auto rest = std::string_view(connection.response).substr(connection.sent);
    const auto count = ::send(connection.fd.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (count < 0)
        return would_block();
    connection.sent += static_cast<std::size_t>(count);
    return connection.sent < connection.response.size();
}

std::string MetricServer::respond_to(std::string_view head) const
{
    const auto request = parse_http_request(head);
    if (!request || (!request->host && !request->is_http_1_0))
        return make_response("400 Bad Request", "The request is malformed.\n");
    if (is_on_loopback_ && request->host && !is_loopback_host(*request->host))
        return make_response("403 Forbidden", "The Host header does not name this machine.\n");
    if (request->method != "GET")
        return make_response("405 Method Not Allowed", "Only GET is supported.\n");
    if (request->path != "/metrics")
        return make_response("404 Not Found", "The metrics are at /metrics.\n");
    return make_response("200 OK", prometheus::TextSerializer().Serialize(metrics_->Collect()),
                         "text/plain; version=0.0.4; charset=utf-8");
}

} // namespace jkvm
