// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/socket_address.h"

#include <algorithm>

namespace jkvm {

Result<SocketAddress> SocketAddress::from_path(const std::string &path)
{
    SocketAddress address;
    constexpr auto longest = sizeof address.address_.sun_path - 1;
    if (path.empty())
        return Error{ErrorKind::path_unusable, path, "a socket path must not be empty"};
    if (path.size() > longest)
        return Error{ErrorKind::path_unusable, path,
                     "a socket path has at most " + std::to_string(longest) + " bytes, this one " +
                         std::to_string(path.size())};
    address.address_.sun_family = AF_UNIX;
    std::copy(path.begin(), path.end(), address.address_.sun_path);
    return address;
}

} // namespace jkvm
