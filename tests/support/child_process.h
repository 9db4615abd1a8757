// SPDX-License-Identifier: LGPL-2.1-or-later
// A peer in a process of its own that starts as fast as it can be killed.
#pragma once

#include <sys/types.h>

#include <functional>

namespace jkvm::testing {

/// A copy of the test program, which must have no second thread then. Killed at the end of its
/// life.
class ChildProcess {
public:
    /// Its exit status is what `work` returns.
    explicit ChildProcess(const std::function<int()> &work);
    ChildProcess(const ChildProcess &) = delete;
    ChildProcess &operator=(const ChildProcess &) = delete;
    ~ChildProcess();

    [[nodiscard]] pid_t pid() const { return pid_; }
    /// With SIGKILL; it is gone when this returns.
    void kill();
    /// Its exit status, or 128 and the signal.
    int wait();

private:
    pid_t pid_;
};

} // namespace jkvm::testing
