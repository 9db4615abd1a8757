// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/supervise/child_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <system_error>
#include <thread>

extern "C" {
#include <sys/pidfd.h> // glibc 2.36 has it for C only
}

namespace jkvm {

namespace {

struct Pipe {
    UniqueFd read;
    UniqueFd write;
};

bool set_nonblocking(int fd)
{
    return ::fcntl(fd, F_SETFL, O_NONBLOCK) == 0;
}

/// Returns a duplicate above the descriptors of the child, so that no dup2() in the child
/// overwrites it.
UniqueFd move_up(const UniqueFd &fd)
{
    return UniqueFd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, ChildProcess::control_fd + 1));
}

/// Makes a pipe whose reading end does not block.
std::optional<Pipe> make_pipe()
{
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
        return std::nullopt;
    const UniqueFd read(ends[0]);
    const UniqueFd write(ends[1]);
    Pipe pipe{move_up(read), move_up(write)};
    if (!pipe.read || !pipe.write || !set_nonblocking(pipe.read.get()))
        return std::nullopt;
    return pipe;
}

std::optional<ControlConnection::Pair> make_control_pair()
{
    auto pair = ControlConnection::make_pair();
    if (pair)
        pair->child = move_up(pair->child);
    return pair && pair->child ? std::move(pair) : std::nullopt;
}

/// The actions and attributes of posix_spawn(), applied between fork and exec.
class SpawnActions {
public:
    SpawnActions(int errors, int heartbeats, int control)
    {
        posix_spawn_file_actions_init(&actions_);
        posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_adddup2(&actions_, errors, STDERR_FILENO);
        posix_spawn_file_actions_adddup2(&actions_, heartbeats, ChildProcess::heartbeat_fd);
        posix_spawn_file_actions_adddup2(&actions_, control, ChildProcess::control_fd);
        // Includes descriptors that the application opened without O_CLOEXEC.
        posix_spawn_file_actions_addclosefrom_np(&actions_, ChildProcess::control_fd + 1);

        posix_spawnattr_init(&attributes_);
        sigset_t signals;
        sigfillset(&signals);
        posix_spawnattr_setsigdefault(&attributes_, &signals);
        sigemptyset(&signals);
        posix_spawnattr_setsigmask(&attributes_, &signals);
        posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF |
                                                   POSIX_SPAWN_SETSIGMASK);
    }
    SpawnActions(const SpawnActions &) = delete;
    SpawnActions &operator=(const SpawnActions &) = delete;
    ~SpawnActions()
    {
        posix_spawnattr_destroy(&attributes_);
        posix_spawn_file_actions_destroy(&actions_);
    }

    /// Returns 0 or the errno of the failed step, including exec.
    int spawn(pid_t &pid, const ChildCommand &command) const
    {
        const auto arguments = pointers(command.arguments);
        const auto environment = pointers(command.environment);
        return ::posix_spawnp(&pid, arguments[0], &actions_, &attributes_, arguments.data(),
                              environment.data());
    }

private:
    static std::vector<char *> pointers(const std::vector<std::string> &texts)
    {
        std::vector<char *> result;
        result.reserve(texts.size() + 1);
        for (const auto &text : texts)
            result.push_back(
                const_cast<char *>(text.c_str())); // posix_spawn() does not write to it
        result.push_back(nullptr);
        return result;
    }

    posix_spawn_file_actions_t actions_;
    posix_spawnattr_t attributes_;
};

/// Whether the same program may start at the next attempt.
bool is_transient(int spawn_error)
{
    switch (spawn_error) {
    case EAGAIN:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case ETXTBSY: // the program is being replaced
    case EINTR:
        return true;
    default:
        return false;
    }
}

} // namespace

std::string ExitStatus::text() const
{
    if (!is_known)
        return "ended with an unknown status, because the application ignores SIGCHLD";
    if (signal == 0)
        return "exited with status " + std::to_string(code);
    const char *name = ::sigdescr_np(signal);
    return "was killed by signal " + std::to_string(signal) + " (" +
           (name != nullptr ? name : "unknown") + ")";
}

Result<std::unique_ptr<ChildProcess>> ChildProcess::start(const ChildCommand &command)
{
    const auto &program = command.arguments.front();
    auto errors = make_pipe();
    auto heartbeats = make_pipe();
    // A full heartbeat pipe must not block the child's streaming thread either.
    if (!errors || !heartbeats || !set_nonblocking(heartbeats->write.get()))
        return system_error(ErrorKind::child_failed, program, "pipe2", errno);
    auto control = make_control_pair();
    if (!control)
        return system_error(ErrorKind::child_failed, program, "socketpair", errno);
    const SpawnActions actions(errors->write.get(), heartbeats->write.get(), control->child.get());
    pid_t pid = 0;
    if (const int error = actions.spawn(pid, command); error != 0)
        return system_error(is_transient(error) ? ErrorKind::child_failed
                                                : ErrorKind::child_unstartable,
                            program, "posix_spawnp " + program, error);
    std::unique_ptr<ChildProcess> child(new ChildProcess(
        pid, std::move(heartbeats->read), std::move(errors->read), std::move(control->parent)));
    if (!child->end_)
        return system_error(ErrorKind::child_failed, program, "pidfd_open", errno);
    return child;
}

// The child is not reaped before pidfd_open(), so its pid cannot have been reused; but if SIGCHLD
// is ignored, the process may already be gone.
ChildProcess::ChildProcess(pid_t pid, UniqueFd heartbeats, UniqueFd errors, UniqueFd control)
    : pid_(pid), end_(::pidfd_open(pid, 0)), heartbeats_(std::move(heartbeats)),
      errors_(std::move(errors)), control_(std::move(control)), has_ended_(!end_ && errno == ESRCH)
{}

ChildProcess::~ChildProcess()
{
    if (has_ended_)
        return;
    if (end_)
        send(SIGKILL);
    else
        ::kill(pid_, SIGKILL);
    wait();
}

void ChildProcess::abandon(std::unique_ptr<ChildProcess> child)
{
    auto *abandoned = child.release();
    try {
        std::thread([abandoned] { delete abandoned; }).detach();
    } catch (const std::system_error &) {
        // Without a thread the child stays a zombie until this process ends.
    }
}

void ChildProcess::send(int signal) const
{
    ::pidfd_send_signal(end_.get(), signal, nullptr, 0);
}

ExitStatus ChildProcess::wait()
{
    if (has_ended_)
        return status_;
    siginfo_t info{};
    const auto wait_for_end = [&](int options) {
        int result = 0;
        do {
            result = ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | options);
        } while (result != 0 && errno == EINTR);
        return result == 0;
    };
    // Before the child is reaped, the id of its process group cannot be reused.
    if (wait_for_end(WNOWAIT))
        ::kill(-pid_, SIGKILL);
    has_ended_ = true;
    status_.is_known = wait_for_end(0);
    if (info.si_code == CLD_EXITED)
        status_.code = info.si_status;
    else
        status_.signal = info.si_status;
    return status_;
}

} // namespace jkvm
