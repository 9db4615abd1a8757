// SPDX-License-Identifier: LGPL-2.1-or-later
// A Unix socket address made from a path.
#pragma once

#include "core/base/result.h"

#include <sys/socket.h>
#include <sys/un.h>

namespace jkvm {

class SocketAddress {
public:
    /// Fails with `path_unusable` for an empty path and for one that does not fit (107 bytes): it
    /// is never cut short.
    static Result<SocketAddress> from_path(const std::string &path);

    [[nodiscard]] const sockaddr *get() const
    {
        return reinterpret_cast<const sockaddr *>(&address_);
    }
    [[nodiscard]] socklen_t size() const { return sizeof address_; }

private:
    sockaddr_un address_{};
};

} // namespace jkvm
