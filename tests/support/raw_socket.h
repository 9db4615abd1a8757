// SPDX-License-Identifier: LGPL-2.1-or-later
// The other side of a connection, as plain as can be: system calls and bytes, none of our protocol
// code, so that a test's expectations do not come from what it tests.
#pragma once

#include "core/base/unique_fd.h"

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace jkvm::testing {

/// How long a test waits for what must happen; far more than it ever takes.
inline constexpr std::chrono::seconds patience{20};

/// CLOCK_REALTIME, nanoseconds since the Unix epoch.
std::int64_t wall_clock_ns();

/// A blocking stream socket connected to `path`; empty when that fails.
UniqueFd connect_to(const std::string &path);
/// A blocking listening stream socket bound to `path`; empty when that fails.
UniqueFd listen_at(const std::string &path);
/// The next connection; empty when none comes in time.
UniqueFd accept_from(int listener);

void send_all(int fd, std::span<const std::uint8_t> bytes);
/// Exactly `count` bytes; fewer when the other side closed, or nothing came in time.
std::vector<std::uint8_t> receive(int fd, std::size_t count);
/// Whether the other side closes the connection in time; reads and forgets what comes before.
bool is_closed_by_peer(int fd);

/// A message as docs/protocol.md writes it down, for the first dialect.
std::vector<std::uint8_t> message_v1(const std::string &magic_on_the_wire, std::uint8_t type,
                                     std::int64_t timestamp_ns,
                                     std::span<const std::uint8_t> payload);

} // namespace jkvm::testing
