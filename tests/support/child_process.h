// SPDX-License-Identifier: LGPL-2.1-or-later
// Runs a function in a forked process, for peers that have to be started and killed quickly.
#pragma once

#include <sys/types.h>

#include <functional>

namespace jkvm::testing {

/// A fork of the test program, which must have a single thread at that time. The destructor kills
/// it.
class ChildProcess {
public:
    /// The return value of `work` is the exit status of the process.
    explicit ChildProcess(const std::function<int()> &work);
    ChildProcess(const ChildProcess &) = delete;
    ChildProcess &operator=(const ChildProcess &) = delete;
    ~ChildProcess();

    [[nodiscard]] pid_t pid() const { return pid_; }
    /// Sends SIGKILL and waits for the end of the process.
    void kill();
    /// Waits for the end of the process. Returns its exit status, or 128 + signal number.
    int wait();

private:
    pid_t pid_;
};

} // namespace jkvm::testing
