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

bool stop_blocking(int fd)
{
    return ::fcntl(fd, F_SETFL, O_NONBLOCK) == 0;
}

/// Our end, which is read, does not block. The numbers of both are above those that the child gets,
/// so that no dup2() on the way there overwrites another one.
std::optional<Pipe> make_pipe()
{
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
        return std::nullopt;
    const UniqueFd read(ends[0]);
    const UniqueFd write(ends[1]);
    constexpr int lowest = ChildProcess::heartbeat_fd + 1;
    Pipe pipe{UniqueFd(::fcntl(read.get(), F_DUPFD_CLOEXEC, lowest)),
              UniqueFd(::fcntl(write.get(), F_DUPFD_CLOEXEC, lowest))};
    if (!pipe.read || !pipe.write || !stop_blocking(pipe.read.get()))
        return std::nullopt;
    return pipe;
}

/// What posix_spawn() does on the way from fork to exec.
class SpawnPlan {
public:
    SpawnPlan(int errors, int heartbeats)
    {
        posix_spawn_file_actions_init(&actions_);
        posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_adddup2(&actions_, errors, STDERR_FILENO);
        posix_spawn_file_actions_adddup2(&actions_, heartbeats, ChildProcess::heartbeat_fd);
        // Also those that somebody else opened without O_CLOEXEC.
        posix_spawn_file_actions_addclosefrom_np(&actions_, ChildProcess::heartbeat_fd + 1);

        posix_spawnattr_init(&attributes_);
        sigset_t signals;
        sigfillset(&signals);
        posix_spawnattr_setsigdefault(&attributes_, &signals);
        sigemptyset(&signals);
        posix_spawnattr_setsigmask(&attributes_, &signals);
        posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF |
                                                   POSIX_SPAWN_SETSIGMASK);
    }
    SpawnPlan(const SpawnPlan &) = delete;
    SpawnPlan &operator=(const SpawnPlan &) = delete;
    ~SpawnPlan()
    {
        posix_spawnattr_destroy(&attributes_);
        posix_spawn_file_actions_destroy(&actions_);
    }

    /// 0, or the errno of what failed; a program that cannot be executed is found out here too.
    int run(pid_t &pid, const ChildCommand &command) const
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
            result.push_back(const_cast<char *>(text.c_str())); // nobody writes to it
        result.push_back(nullptr);
        return result;
    }

    posix_spawn_file_actions_t actions_;
    posix_spawnattr_t attributes_;
};

} // namespace

std::string ExitStatus::text() const
{
    if (!is_known)
        return "ended; the application ignores SIGCHLD, so nobody knows how";
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
    // The child's end of the heartbeats must not hold up its streaming thread either.
    if (!errors || !heartbeats || !stop_blocking(heartbeats->write.get()))
        return system_error(ErrorKind::child_failed, program, "making a pipe", errno);
    const SpawnPlan plan(errors->write.get(), heartbeats->write.get());
    pid_t pid = 0;
    if (const int error = plan.run(pid, command); error != 0)
        return system_error(ErrorKind::child_failed, program, "start of " + program, error);
    std::unique_ptr<ChildProcess> child(
        new ChildProcess(pid, std::move(heartbeats->read), std::move(errors->read)));
    if (!child->end_)
        return system_error(ErrorKind::child_failed, program, "pidfd_open", errno);
    return child;
}

// Nobody else reaps the child, so the number is still its own when the pidfd is made; but where
// SIGCHLD is ignored there may be no such process any more.
ChildProcess::ChildProcess(pid_t pid, UniqueFd heartbeats, UniqueFd errors)
    : pid_(pid), end_(::pidfd_open(pid, 0)), heartbeats_(std::move(heartbeats)),
      errors_(std::move(errors)), has_ended_(!end_ && errno == ESRCH)
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
    auto *left = child.release();
    try {
        std::thread([left] { delete left; }).detach();
    } catch (const std::system_error &) {
        // Without a thread it stays a zombie for as long as this process lives.
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
    // Until it is reaped, the number of its group is nobody else's.
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
