// SPDX-License-Identifier: LGPL-2.1-or-later
// The claim on a socket path: taken only when nobody else holds it, given back only while it is
// ours.
#pragma once

#include "core/base/result.h"
#include "core/base/unique_fd.h"
#include "core/ipc/socket/endpoint.h"

#include <string>
#include <utility>

namespace jkvm {

/// A non-blocking listening Unix stream socket bound to a path.
///
/// The right to the path is a lock (flock) on PATH.lock. Whoever has it may remove a stale socket,
/// never anything that is not a socket. A server that takes no lock is recognised too, without
/// connecting to it: that could throw its client out. An abstract socket needs none of this.
///
/// When systemd (or whoever started the process) hands over a listening socket bound to the same
/// path, as sd_listen_fds(3) describes, that one is used; its file is not ours to make or remove.
class ListeningSocket {
public:
    /// Errors: `path_busy` when a live server has the path; `path_unusable` for everything else.
    static Result<ListeningSocket> open(const Endpoint &endpoint);

    /// The same for an end that may as well connect: nothing for that one, but `path_unusable` when
    /// there is nothing that it could ever connect to.
    static Result<std::optional<ListeningSocket>> open_if_listening(const Endpoint &endpoint);

    ListeningSocket(ListeningSocket &&other) noexcept
        : path_(std::move(other.path_)), lock_(std::move(other.lock_)),
          socket_(std::move(other.socket_)), device_(other.device_),
          inode_(std::exchange(other.inode_, 0))
    {}
    ListeningSocket &operator=(ListeningSocket &&) noexcept = delete;
    /// Removes the socket and the lock file, if they are still the ones that open() made.
    ~ListeningSocket();

    [[nodiscard]] int fd() const { return socket_.get(); }

private:
    explicit ListeningSocket(std::string path) : path_(std::move(path)) {}
    Status bind(const Endpoint &endpoint);

    std::string path_;
    UniqueFd lock_; // empty for an abstract socket and for one that was handed over
    UniqueFd socket_;
    dev_t device_ = 0; // of the file that bind() made
    ino_t inode_ = 0;  // 0 as long as there is none
};

} // namespace jkvm
