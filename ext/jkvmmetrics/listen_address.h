// SPDX-License-Identifier: LGPL-2.1-or-later
// Parses IP-ADDRESS:PORT, and listens there.
#pragma once

#include "core/base/result.h"
#include "core/base/unique_fd.h"

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>

namespace jkvm {

class ListenAddress {
public:
    /// Accepts 127.0.0.1:9464 and [::1]:9464. Host names are not resolved.
    static std::optional<ListenAddress> parse(const std::string &text);

    /// Whether only processes of this machine can connect.
    [[nodiscard]] bool is_loopback() const;
    /// Returns a non-blocking listening socket. Error: `path_unusable`.
    [[nodiscard]] Result<UniqueFd> listen() const;

private:
    explicit ListenAddress(std::string text) : text_(std::move(text)) {}

    std::string text_;
    sockaddr_storage address_{};
    socklen_t size_ = 0;
};

/// Returns the port that a socket is bound to.
std::uint16_t port_of(int socket);

} // namespace jkvm
