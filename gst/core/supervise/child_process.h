// SPDX-License-Identifier: LGPL-2.1-or-later
// One child process: started with nothing of ours that it does not need, reaped in any case.
#pragma once

#include "core/base/result.h"
#include "core/base/unique_fd.h"

#include <sys/types.h>

#include <memory>
#include <vector>

namespace jkvm {

/// What is run, with which environment ("NAME=VALUE"). The program is a path or looked for on PATH.
struct ChildCommand {
    std::vector<std::string> arguments; ///< the program first
    std::vector<std::string> environment;
};

/// How a process ended.
struct ExitStatus {
    int code = 0;   ///< that it returned; of no meaning when a signal ended it
    int signal = 0; ///< that ended it; 0 = it ended by itself
    /// False where the application ignores SIGCHLD: the kernel then reaps all children by itself.
    bool is_known = true;

    /// "exited with status 1", "was killed by signal 9 (Killed)"
    [[nodiscard]] std::string text() const;
};

/// The child has four descriptors: no input, our output, a pipe as its error output and, as
/// heartbeat_fd, a pipe into which it writes a byte for each heartbeat. Its signals are the default
/// ones, and it is in a process group of its own, so that a Ctrl-C meant for us does not reach it.
/// What it started itself, and is left of that group when it has ended, is killed.
///
/// A child that asked for it (PR_SET_PDEATHSIG) dies with the thread that called start(), not only
/// with the process.
class ChildProcess {
public:
    static constexpr int heartbeat_fd = 3; ///< in the child

    /// Error: `child_failed`, also when there is no such program.
    static Result<std::unique_ptr<ChildProcess>> start(const ChildCommand &command);
    ChildProcess(const ChildProcess &) = delete;
    ChildProcess &operator=(const ChildProcess &) = delete;
    /// Kills it if it still runs, and waits for its end.
    ~ChildProcess();

    /// Of one that was killed and does not die, because it is somewhere in the kernel: reaps it if
    /// it ever ends, on a thread that nobody waits for.
    static void abandon(std::unique_ptr<ChildProcess> child);

    [[nodiscard]] pid_t pid() const { return pid_; }
    /// Readable for poll() once the child has ended.
    [[nodiscard]] int end_fd() const { return end_.get(); }
    /// Our ends of its pipes; reading them does not block.
    [[nodiscard]] int heartbeats_fd() const { return heartbeats_.get(); }
    [[nodiscard]] int errors_fd() const { return errors_.get(); }

    void send(int signal) const;
    /// Waits for the end. A second call says the same.
    ExitStatus wait();

private:
    ChildProcess(pid_t pid, UniqueFd heartbeats, UniqueFd errors);

    pid_t pid_;
    UniqueFd end_; // a pidfd: unlike a number it never means another process
    UniqueFd heartbeats_;
    UniqueFd errors_;
    bool has_ended_;
    ExitStatus status_;
};

} // namespace jkvm
