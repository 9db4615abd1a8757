// SPDX-License-Identifier: LGPL-2.1-or-later
// Counts what this process asks of the kernel for a while.
#pragma once

#include <sys/types.h>

#include <string>

namespace jkvm::benchmark {

/// strace is attached to all threads of this process for as long as this lives, and writes its
/// summary (strace -c) to a file at the end. Failures throw.
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
