// SPDX-License-Identifier: LGPL-2.1-or-later
// Implements a peer with plain system calls and bytes. It shares no protocol code with jkvm, so
// that the expectations of a test are independent of the code under test.
#pragma once

#include "core/base/unique_fd.h"

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace jkvm::testing {

/// Maximum time for which a test waits for an expected event; far longer than it ever takes.
inline constexpr std::chrono::seconds wait_timeout{20};

/// Returns CLOCK_REALTIME, nanoseconds since the Unix epoch.
std::int64_t wall_clock_ns();

/// Returns a blocking stream socket that is connected to `path`; empty on failure.
UniqueFd connect_to(const std::string &path);
/// Returns a blocking stream socket that listens at `path`; empty on failure.
UniqueFd listen_at(const std::string &path);
/// Returns the next connection; empty if there is none within `wait_timeout`.
UniqueFd accept_from(int listener);

void send_all(int fd, std::span<const std::uint8_t> bytes);
/// Returns `count` bytes; fewer if the peer closes the connection or sends nothing for
/// `wait_timeout`.
std::vector<std::uint8_t> receive(int fd, std::size_t count);
/// Whether the peer closes the connection within `wait_timeout`. Discards all data before that.
bool is_closed_by_peer(int fd);

/// Returns a message of the first dialect as specified in docs/protocol.md.
std::vector<std::uint8_t> message_v1(const std::string &magic_on_the_wire, std::uint8_t type,
                                     std::int64_t timestamp_ns,
                                     std::span<const std::uint8_t> payload);

} // namespace jkvm::testing
