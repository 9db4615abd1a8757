// SPDX-License-Identifier: LGPL-2.1-or-later
// Starts one child process with a clean set of descriptors and signals, and always reaps it.
#pragma once

#include "core/base/result.h"
#include "core/base/unique_fd.h"
#include "core/supervise/control_connection.h"

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

namespace jkvm {

/// The command line and environment ("NAME=VALUE") of a child. The program is a path, or is looked
/// up on PATH.
struct ChildCommand {
    std::vector<std::string> arguments; ///< starts with the program
    std::vector<std::string> environment;
};

/// How a process ended.
struct ExitStatus {
    int code = 0;   ///< the returned status; meaningless if a signal ended the process
    int signal = 0; ///< the signal that ended the process; 0 = none
    /// False if the application ignores SIGCHLD, so that the kernel discards the status.
    bool is_known = true;

    /// Returns "exited with status 1" or "was killed by signal 9 (Killed)".
    [[nodiscard]] std::string text() const;
};

/// A running or ended child process.
///
/// The child has five descriptors: /dev/null as input, this process's output, a pipe as error
/// output, as heartbeat_fd a pipe into which it writes one byte for each heartbeat, and as
/// control_fd its end of a ControlConnection. Its signals have their default actions. It is the
/// leader of a process group of its own, so that a Ctrl-C in the terminal does not reach it;
/// processes of that group that outlive it are killed.
///
/// A child that sets PR_SET_PDEATHSIG dies when the thread that called start() ends, not only when
/// the process does.
class ChildProcess {
public:
    static constexpr int heartbeat_fd = 3; ///< in the child
    static constexpr int control_fd = 4;   ///< in the child

    /// Error: `child_unstartable` if the program is missing or cannot be executed; `child_failed`
    /// for a lack of resources, where another attempt may succeed.
    static Result<std::unique_ptr<ChildProcess>> start(const ChildCommand &command);
    ChildProcess(const ChildProcess &) = delete;
    ChildProcess &operator=(const ChildProcess &) = delete;
    /// Kills the child if it still runs, and waits for its end.
    ~ChildProcess();

    /// Leaves a killed child that does not die, because it is blocked in the kernel, to a detached
    /// thread that reaps it if it ever ends.
    static void abandon(std::unique_ptr<ChildProcess> child);

    [[nodiscard]] pid_t pid() const { return pid_; }
    /// Readable for poll() once the child has ended.
    [[nodiscard]] int end_fd() const { return end_.get(); }
    /// The reading ends of the child's pipes, non-blocking.
    [[nodiscard]] int heartbeats_fd() const { return heartbeats_.get(); }
    [[nodiscard]] int errors_fd() const { return errors_.get(); }
    /// Transfers this process's end of the control connection to the caller.
    [[nodiscard]] UniqueFd take_control() { return std::move(control_); }

    void send(int signal) const;
    /// Blocks until the child has ended. Later calls return the same status.
    ExitStatus wait();

private:
    ChildProcess(pid_t pid, UniqueFd heartbeats, UniqueFd errors, UniqueFd control);

    pid_t pid_;
    UniqueFd end_; // a pidfd: unlike a pid it never refers to another process
    UniqueFd heartbeats_;
    UniqueFd errors_;
    UniqueFd control_;
    bool has_ended_;
    ExitStatus status_;
};

} // namespace jkvm
