// SPDX-License-Identifier: LGPL-2.1-or-later
// The claim on a socket path: taken only when nobody else holds it, given back only while it is
// ours.
#pragma once

#include "core/base/result.h"
#include "core/ipc/unique_fd.h"

#include <sys/types.h>

#include <string>

namespace jkvm {

/// A non-blocking listening Unix stream socket bound to a path.
///
/// The right to the path is a lock (flock) on PATH.lock. Whoever has it may remove a stale socket,
/// never anything that is not a socket. A server that takes no lock is recognised too, without
/// connecting to it: that could throw its client out.
class ListeningSocket {
public:
    struct Config {
        std::string path;
        mode_t mode = 0600; ///< of the socket file; there is no moment with wider rights
        int backlog = 16;
    };

    /// Errors: `path_busy` when a live server has the path; `path_unusable` for everything else.
    static Result<ListeningSocket> open(const Config &config);

    ListeningSocket(ListeningSocket &&) noexcept = default;
    ListeningSocket &operator=(ListeningSocket &&) noexcept = delete;
    /// Removes the socket and the lock file, if they are still the ones that open() made.
    ~ListeningSocket();

    [[nodiscard]] int fd() const { return socket_.get(); }

private:
    ListeningSocket(std::string path, UniqueFd lock)
        : path_(std::move(path)), lock_(std::move(lock))
    {}

    std::string path_;
    UniqueFd lock_;
    UniqueFd socket_;
    dev_t device_ = 0; // of the file that bind() made
    ino_t inode_ = 0;
};

} // namespace jkvm
