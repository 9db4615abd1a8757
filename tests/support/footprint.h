// SPDX-License-Identifier: LGPL-2.1-or-later
// What another process holds of the machine, so that a test sees whether that grows.
#pragma once

#include <sys/types.h>

#include <cstddef>

namespace jkvm::testing {

/// Descriptors that the process has open.
std::size_t descriptors_of(pid_t process);
/// Memory of its own that is in use (RssAnon), KiB.
long memory_of(pid_t process);
/// Processor time that it has used so far, milliseconds.
long cpu_time_of(pid_t process);

} // namespace jkvm::testing
