// SPDX-License-Identifier: LGPL-2.1-or-later
// What an unread message takes of the kernel's memory.
#pragma once

#include <cstddef>

namespace jkvm {

/// What SIOCOUTQ counts for an unread message of `size` bytes on a Unix stream socket, bytes: the
/// kernel's own overhead included, a frame of 20 ms takes four times its size. How much that is
/// depends on the kernel, so it is measured on a socket pair, once for sizes that take the same.
/// Where there is no descriptor for that, the answer is the least that it can be. Any thread.
int message_memory(std::size_t size);

} // namespace jkvm
