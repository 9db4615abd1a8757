// SPDX-License-Identifier: LGPL-2.1-or-later
// Measures how much kernel memory an unread message occupies.
#pragma once

#include <cstddef>

namespace jkvm {

/// Returns what SIOCOUTQ reports for an unread message of `size` bytes on a Unix stream socket, in
/// bytes. This includes the kernel's overhead: a frame of 20 ms occupies about four times its size.
/// The overhead depends on the kernel, so it is measured on a socket pair, once for all sizes that
/// occupy the same. Without a free descriptor the lower bound `size` is returned. Thread-safe.
int message_memory(std::size_t size);

} // namespace jkvm
