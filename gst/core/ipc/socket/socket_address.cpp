// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/socket/socket_address.h"

#include <algorithm>
#include <cstddef>

namespace jkvm {

Result<SocketAddress> SocketAddress::from_path(const std::string &path)
{
    SocketAddress address;
    constexpr auto longest = sizeof address.address_.sun_path - 1;
    if (path.empty() || path == "@")
        return Error{ErrorKind::path_unusable, path, "a socket path must not be empty"};
    if (path.size() > longest)
        return Error{ErrorKind::path_unusable, path,
                     "the maximum length of a socket path is " + std::to_string(longest) +
                         " bytes, this one has " + std::to_string(path.size())};
    address.address_.sun_family = AF_UNIX;
    std::copy(path.begin(), path.end(), address.address_.sun_path);
    if (is_abstract(path)) {
        // Marked by a leading zero byte; every byte within the size is part of the name.
        address.address_.sun_path[0] = '\0';
        address.size_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
    }
    return address;
}

bool SocketAddress::is_same(const sockaddr_un &other) const
{
    return other.sun_family == AF_UNIX && std::ranges::equal(address_.sun_path, other.sun_path);
}

} // namespace jkvm
