// SPDX-License-Identifier: LGPL-2.1-or-later
// What is done to a socket on its way to become a connection, in both roles.
#pragma once

#include "core/base/result.h"
#include "core/base/unique_fd.h"
#include "core/ipc/socket/endpoint.h"

namespace jkvm {

/// What the kernel granted, in bytes; it counts its own overhead too.
struct BufferSizes {
    int send = 0;
    int receive = 0;
};

/// A non-blocking connection to the endpoint's path. Errors: `peer_unreachable`, `path_unusable`,
/// `out_of_resources`.
Result<UniqueFd> connect_to(const Endpoint &endpoint);
/// The next connection that waits at the listening socket, non-blocking; empty, with errno, if
/// there is none or none can be had.
UniqueFd accept_from(int listening_fd);

PeerInfo identify(std::uint64_t id, int fd);
/// Whether the endpoint lets this user in. The user that this process runs as always may.
bool is_allowed(const Endpoint &endpoint, const PeerInfo &peer);
/// How much of the send buffer is taken by what the other end has not read, in bytes, as the kernel
/// counts.
int send_buffer_used(int fd);
/// How much the other end has sent that was not yet read, bytes.
int bytes_to_read(int fd);
/// Asks for the endpoint's buffer size and reads back what became of it.
BufferSizes set_buffer_sizes(const Endpoint &endpoint, int fd);

} // namespace jkvm
