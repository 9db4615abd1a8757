// SPDX-License-Identifier: LGPL-2.1-or-later
// One end of a JetKVM audio path: where it is, which part it plays, who may come.
#pragma once

#include "core/wire/message.h"

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace jkvm {

enum class Role { listen, connect };

/// Audio that may wait for one receiver, here and in the kernel; a receiver that stalls no longer
/// than this loses nothing, so it is also what jkvmipcsrc reports as its maximum latency.
inline constexpr nanoseconds default_max_queue_time = std::chrono::milliseconds(500);

struct Endpoint {
    std::string path; ///< of the socket; with '@' in front the name of an abstract one
    Role role = Role::listen;
    wire::Direction direction = wire::Direction::output;

    /// SO_SNDBUF and SO_RCVBUF of each connection, in bytes; the kernel doubles it, and has a
    /// limit.
    int buffer_size = 131072;

    // Of a listening end. An abstract socket has no file, hence neither mode nor group.
    mode_t mode = 0600;                   ///< of the socket's file
    std::optional<gid_t> group;           ///< of the socket's file
    std::vector<uid_t> allowed_uids = {}; ///< who may connect; empty = whoever the file lets in
};

/// The other end of a connection, as the kernel knows it.
struct PeerInfo {
    std::uint64_t id = 0; ///< counts up from 1 over the life of our end
    pid_t pid = 0;        ///< 0 if it is not known
    uid_t uid = 0;
};

} // namespace jkvm
