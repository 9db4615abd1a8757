// SPDX-License-Identifier: LGPL-2.1-or-later
// Claims a socket path and listens on it, without disturbing other servers and their files.
#pragma once

#include "core/base/result.h"
#include "core/base/unique_fd.h"
#include "core/ipc/socket/endpoint.h"

#include <string>
#include <utility>

namespace jkvm {

/// A non-blocking listening Unix stream socket bound to a path.
///
/// The claim is a lock (flock) on PATH.lock. Its holder may remove a stale socket, but no other
/// file. A running server without a lock is detected as well, without connecting to it, because
/// that could displace its client. An abstract socket needs no claim.
///
/// If the process was started with a listening socket bound to the same path, as sd_listen_fds(3)
/// describes, that socket is used, and its file is neither created nor removed.
class ListeningSocket {
public:
    /// Errors: `path_busy` if a running server has the path, `path_unusable` otherwise.
    static Result<ListeningSocket> open(const Endpoint &endpoint);

    /// Returns nothing for an end that connects. Error for such an end: `path_unusable` if the path
    /// is invalid.
    static Result<std::optional<ListeningSocket>> open_if_listening(const Endpoint &endpoint);

    ListeningSocket(ListeningSocket &&other) noexcept
        : path_(std::move(other.path_)), lock_(std::move(other.lock_)),
          socket_(std::move(other.socket_)), device_(other.device_),
          inode_(std::exchange(other.inode_, 0))
    {}
    ListeningSocket &operator=(ListeningSocket &&) noexcept = delete;
    /// Removes the socket and the lock file if they are still the ones that open() created.
    ~ListeningSocket();

    [[nodiscard]] int fd() const { return socket_.get(); }
    /// Updates the times of the socket's file, which clients that watch it take for the appearance
    /// of the socket (SocketWatch). Does nothing for an abstract or an inherited socket.
    void announce() const;

private:
    explicit ListeningSocket(std::string path) : path_(std::move(path)) {}
    Status bind(const Endpoint &endpoint);
    /// Whether the path still names the file that bind() created.
    [[nodiscard]] bool has_own_file() const;

    std::string path_;
    UniqueFd lock_; // empty for an abstract and for an inherited socket
    UniqueFd socket_;
    dev_t device_ = 0; // of the file that bind() created
    ino_t inode_ = 0;  // 0 = none
};

} // namespace jkvm
