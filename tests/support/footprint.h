// SPDX-License-Identifier: LGPL-2.1-or-later
// Measures the resources that another process uses, so that tests can detect leaks.
#pragma once

#include <sys/types.h>

#include <cstddef>

namespace jkvm::testing {

/// Returns the number of open file descriptors of the process.
std::size_t descriptors_of(pid_t process);
/// Returns the anonymous resident memory of the process, RssAnon (KiB).
long memory_of(pid_t process);
/// Returns the CPU time that the process has used so far (ms).
long cpu_time_of(pid_t process);

} // namespace jkvm::testing
