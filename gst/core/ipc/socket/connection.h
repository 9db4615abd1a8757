// SPDX-License-Identifier: LGPL-2.1-or-later
// Makes, identifies and configures connections, for both roles.
#pragma once

#include "core/base/result.h"
#include "core/base/unique_fd.h"
#include "core/ipc/socket/endpoint.h"
#include "core/wire/control.h"
#include "core/wire/header.h"

namespace jkvm {

/// Sizes that the kernel granted, in bytes, which include its own overhead.
struct BufferSizes {
    int send = 0;
    int receive = 0;
};

/// Makes a non-blocking connection to the endpoint's path. Errors: `peer_unreachable`,
/// `path_unusable`, `out_of_resources`.
Result<UniqueFd> connect_to(const Endpoint &endpoint);
/// Whether connect_to() failed because this process has no permission to connect: by the mode of
/// the socket or of a directory, or by a security module.
bool is_permission_denied(const Error &error);
/// Accepts the next pending connection, non-blocking. Returns no descriptor and sets errno if there
/// is none or it cannot be accepted.
UniqueFd accept_from(int listening_fd);

PeerInfo identify(std::uint64_t id, int fd);
/// Whether the endpoint may be connected with a process of the peer's user. The user of this
/// process is always allowed.
bool is_allowed(const Endpoint &endpoint, const PeerInfo &peer);
/// Returns how much of the send buffer is occupied by data that the peer has not read, in bytes as
/// the kernel counts them.
int send_buffer_used(int fd);
/// Returns the amount of data from the peer that is unread, in bytes.
int bytes_to_read(int fd);
/// Sends a message without blocking. Returns false if it was not sent, not even in part: the
/// socket has no room for it, or the dialect has no such message. If the kernel accepts only a
/// part, which would break the peer's synchronisation, the connection is shut down. No part of
/// another message may be pending.
bool send_message(int fd, wire::Format format, wire::MessageType type,
                  std::span<const std::byte> payload = {});
/// Sends a Stop with the reason for closing the connection, if the socket has room for it and
/// the peer's dialect allows it. No part of another message may be pending.
void send_close_reason(int fd, wire::Format format, wire::CloseReason reason);
/// Requests the endpoint's buffer size and returns the sizes that the kernel granted.
BufferSizes set_buffer_sizes(const Endpoint &endpoint, int fd);

} // namespace jkvm
