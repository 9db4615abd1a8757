// SPDX-License-Identifier: LGPL-2.1-or-later
// Counts this process's file descriptors, and sends and receives them.
#pragma once

#include "core/base/unique_fd.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace jkvm::testing {

/// Returns the number of open descriptors.
std::size_t count_descriptors();

/// Sends the bytes with these descriptors attached.
void send_descriptors(int fd, std::span<const std::uint8_t> bytes, std::span<const int> attached);

/// What one recvmsg() returned.
struct ReceivedMessage {
    std::vector<std::uint8_t> bytes;
    std::vector<UniqueFd> descriptors;
};
/// Receives at most `size` bytes.
ReceivedMessage receive_descriptors(int fd, std::size_t size);

} // namespace jkvm::testing
