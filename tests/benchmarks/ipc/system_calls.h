// SPDX-License-Identifier: LGPL-2.1-or-later
// Counts the system calls of this process.
#pragma once

#include <sys/types.h>

#include <string>

namespace jkvm::benchmark {

/// Attaches strace to all threads of this process. The destructor ends it, and strace writes its
/// summary (strace -c) to a file. Failures throw.
class SystemCallCount {
public:
    explicit SystemCallCount(const std::string &file);
    SystemCallCount(const SystemCallCount &) = delete;
    SystemCallCount &operator=(const SystemCallCount &) = delete;
    ~SystemCallCount();

private:
    pid_t strace_ = -1;
};

} // namespace jkvm::benchmark
