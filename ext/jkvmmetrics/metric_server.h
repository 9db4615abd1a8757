// SPDX-License-Identifier: LGPL-2.1-or-later
// Serves metrics over HTTP.
#pragma once

#include "core/base/result.h"
#include "core/base/time.h"
#include "core/base/unique_fd.h"
#include "core/base/wake_event.h"
#include "http_request.h"

#include <prometheus/collectable.h>

#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace jkvm {

/// Serves /metrics of one Collectable in the text format of Prometheus, from a thread of its own.
///
/// Clients cannot block each other: the thread never waits for one of them. At most max_connections
/// are open; a further one replaces the oldest that has not sent its request yet. A client that
/// takes too long is disconnected. A server on a loopback address answers only requests whose Host
/// header names that interface, so that a web page cannot read the metrics through a DNS name of
/// its own (DNS rebinding).
class MetricServer {
public:
    static constexpr std::size_t max_connections = 32;
    static constexpr std::size_t max_request_size = 8192; ///< bytes
    static constexpr nanoseconds request_timeout = std::chrono::seconds(2);
    static constexpr nanoseconds response_timeout = std::chrono::seconds(10);

    /// `address`: IP-ADDRESS:PORT of this machine; an IPv6 address in brackets; port 0 = any free
    /// one. Errors: `path_unusable`, `out_of_resources`.
    static Result<std::unique_ptr<MetricServer>> start(
        const std::string &address, std::shared_ptr<prometheus::Collectable> metrics);
    MetricServer(const MetricServer &) = delete;
    MetricServer &operator=(const MetricServer &) = delete;
    ~MetricServer();

    [[nodiscard]] std::uint16_t port() const { return port_; }

private:
    struct Connection {
        UniqueFd fd;
        MonotonicTime deadline;
        std::string request;
        std::string response; ///< empty while the request is incomplete
        std::size_t sent = 0;
    };

    MetricServer() = default;

    void run();
    [[nodiscard]] int poll_timeout() const;
    void accept_connections();
    void make_room();
    /// Each returns false if the connection is to be closed.
    bool handle(Connection &connection, short events);
    bool receive(Connection &connection);
    static bool send(Connection &connection);
    [[nodiscard]] std::string respond_to(std::string_view head) const;

    std::shared_ptr<prometheus::Collectable> metrics_;
    UniqueFd listener_;
    std::uint16_t port_ = 0;
    bool is_on_loopback_ = false;
    WakeEvent stop_;
    std::vector<Connection> connections_; // oldest first; server's thread
    MonotonicTime accept_after_{};        // pause after a lack of descriptors; server's thread
    std::thread thread_;
};

} // namespace jkvm
