// SPDX-License-Identifier: LGPL-2.1-or-later
// Describes one end of a JetKVM audio path: its address, its role and its permissions.
#pragma once

#include "core/wire/message.h"

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace jkvm {

enum class Role { listen, connect };

/// Default maximum duration of the audio queued for one receiver, here and in the kernel. A
/// receiver that stalls for no longer than this loses nothing; the maximum latency that jkvmipcsrc
/// reports includes it.
inline constexpr nanoseconds default_max_queue_time = std::chrono::milliseconds(500);

struct Endpoint {
    std::string path; ///< of the socket; '@' in front of the name of an abstract socket
    Role role = Role::listen;
    wire::Direction direction = wire::Direction::output;

    /// SO_SNDBUF and SO_RCVBUF of each connection, in bytes. The kernel doubles and limits it.
    int buffer_size = 131072;

    // Of a listening end; an abstract socket has no file, hence neither mode nor group.
    mode_t mode = 0600;         ///< of the socket's file
    std::optional<gid_t> group; ///< of the socket's file

    /// Users of the clients or servers that it may be connected with, besides its own; empty = all.
    std::vector<uid_t> allowed_uids = {};
};

/// The peer of a connection, as the kernel reports it.
struct PeerInfo {
    std::uint64_t id = 0; ///< counts connections from 1
    pid_t pid = 0;        ///< 0 = not known
    uid_t uid = 0;
};

} // namespace jkvm
