// SPDX-License-Identifier: LGPL-2.1-or-later
// Makes a Unix socket address from a path.
#pragma once

#include "core/base/result.h"

#include <sys/socket.h>
#include <sys/un.h>

namespace jkvm {

class SocketAddress {
public:
    /// "@name" is the abstract socket of that name, which has no file. Error: `path_unusable` for
    /// an empty path or name, and for one of more than 107 bytes; it is never truncated.
    static Result<SocketAddress> from_path(const std::string &path);
    static bool is_abstract(const std::string &path) { return path.starts_with('@'); }

    [[nodiscard]] const sockaddr *get() const
    {
        return reinterpret_cast<const sockaddr *>(&address_);
    }
    /// Whether `other` is the address of the same file or abstract socket.
    [[nodiscard]] bool is_same(const sockaddr_un &other) const;
    [[nodiscard]] socklen_t size() const { return size_; }

private:
    sockaddr_un address_{};
    socklen_t size_ = sizeof address_;
};

} // namespace jkvm
