// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests the supervisor with shell scripts as children.
#include "supervision.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <csignal>

/// While true, signals do not reach a child, as if it were blocked in the kernel.
static std::atomic<bool> are_children_in_kernel{false};

/// Replaces the function of the C library.
extern "C" int pidfd_send_signal(int fd, int signal, siginfo_t *info, unsigned flags) noexcept
{
    if (are_children_in_kernel)
        return 0;
    return static_cast<int>(::syscall(SYS_pidfd_send_signal, fd, signal, info, flags));
}

namespace jkvm {
namespace {

using namespace std::chrono_literals;

/// Replaces this process's error output by a pipe.
class ErrorPipe {
public:
    ErrorPipe() : before_(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3))
    {
        std::array<int, 2> ends{};
        EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
        reader_.reset(ends[0]);
        const UniqueFd writer(ends[1]);
        ::dup2(writer.get(), STDERR_FILENO);
    }
    ErrorPipe(const ErrorPipe &) = delete;
    ErrorPipe &operator=(const ErrorPipe &) = delete;
    ~ErrorPipe() { ::dup2(before_.get(), STDERR_FILENO); }

    void close_reader() { reader_.reset(); }
    static void fill()
    {
        const std::array<char, 4096> page{};
        ::fcntl(STDERR_FILENO, F_SETFL, O_NONBLOCK);
        while (::write(STDERR_FILENO, page.data(), page.size()) > 0) {
        }
        ::fcntl(STDERR_FILENO, F_SETFL, 0);
    }

private:
    UniqueFd before_;
    UniqueFd reader_;
};

/// Waits until neither the process nor its zombie exists.
bool wait_until_gone(pid_t pid)
{
    const auto deadline = monotonic_now() + testing::wait_timeout;
    while (::kill(pid, 0) == 0) {
        if (monotonic_now() > deadline)
            return false;
        std::this_thread::yield();
    }
    return true;
}

using Supervision = testing::Supervision;
using testing::healthy;

TEST_F(Supervision, RestartsAKilledChild)
{
    start(healthy);
    for (std::size_t i = 1; i <= 5; ++i) {
        ::kill(observer_.wait_for_starts(i).started.back(), SIGKILL);
        const auto end = observer_.wait_for_ends(i).ended.back();
        EXPECT_EQ(end.reason, ExitReason::killed);
        EXPECT_EQ(end.status.signal, SIGKILL);
        EXPECT_EQ(end.text, "was killed by signal 9 (Killed)");
    }
    const auto last = observer_.wait_for_starts(6).started.back();
    const auto stats = supervisor_->stats();
    EXPECT_TRUE(stats.running);
    EXPECT_EQ(stats.pid, last);
    EXPECT_EQ(stats.restarts, 5u);
    EXPECT_EQ(stats.kills, 5u);
    EXPECT_EQ(stats.last_exit, "was killed by signal 9 (Killed)");
    EXPECT_TRUE(supervisor_->is_child(last));
    EXPECT_FALSE(supervisor_->is_child(::getpid()));
}

TEST_F(Supervision, GivesUpAtTheLimitWithTheLastExitAndErrors)
{
    config_.limits.max_restarts = 2;
    start("echo one >&2; echo two >&2; exit 7");
    const auto calls = observer_.wait_for_gave_up();
    EXPECT_EQ(calls.started.size(), 3u);
    EXPECT_EQ(calls.ended.size(), 3u);
    EXPECT_EQ(calls.gave_up->reason, ExitReason::exited);
    EXPECT_EQ(calls.gave_up->text, "exited with status 7");
    EXPECT_EQ(calls.gave_up->errors, "one\ntwo");
    EXPECT_EQ(supervisor_->stats().exits, 3u);
}

TEST_F(Supervision, KeepsTheLastTenLinesOfErrors)
{
    config_.limits.max_restarts = 0;
    start("i=0; while [ $i -lt 2000 ]; do i=$((i + 1)); echo line $i; done >&2");
    const auto errors = observer_.wait_for_gave_up().gave_up->errors;
    EXPECT_TRUE(errors.starts_with("line 1991\n")) << errors;
    EXPECT_TRUE(errors.ends_with("line 2000")) << errors;
}

TEST_F(Supervision, RestartsAfterACleanExit)
{
    config_.limits.max_restarts = 3;
    start("exit 0");
    EXPECT_EQ(observer_.wait_for_gave_up().started.size(), 4u);
}

TEST_F(Supervision, GivesUpImmediatelyWhenTheProgramIsMissing)
{
    config_.limits.max_restarts = 3;
    config_.command = {{"/nonexistent/program"}, {}};
    start_command();
    const auto calls = observer_.wait_for_gave_up();
    EXPECT_TRUE(calls.started.empty());
    EXPECT_EQ(calls.ended.size(), 1u);
    EXPECT_EQ(calls.gave_up->reason, ExitReason::unstartable);
    EXPECT_EQ(calls.gave_up->program, "/nonexistent/program");
    EXPECT_NE(calls.gave_up->text.find("No such file"), std::string::npos);
    EXPECT_EQ(supervisor_->stats().failures, 1u);
}

TEST_F(Supervision, GivesUpImmediatelyWhenTheChildRefuses)
{
    start("echo chatter >&2; echo why not >&2; exit 78");
    const auto calls = observer_.wait_for_gave_up();
    EXPECT_EQ(calls.started.size(), 1u);
    EXPECT_EQ(calls.gave_up->reason, ExitReason::refused);
    EXPECT_EQ(calls.gave_up->text, "why not");
}

TEST_F(Supervision, RetriesEndlesslyIfConfigured)
{
    config_.limits.max_restarts = 1;
    config_.retries_endlessly = true;
    start("exit 78");
    EXPECT_FALSE(observer_.wait_for_ends(10).gave_up);
}

TEST_F(Supervision, KillsAChildWithoutHeartbeats)
{
    config_.hang_timeout = 50ms;
    start(healthy);
    const auto end = observer_.wait_for_ends(1).ended.front();
    EXPECT_EQ(end.reason, ExitReason::hang);
    EXPECT_EQ(end.status.signal, SIGKILL);
    observer_.wait_for_starts(2);
    EXPECT_GE(supervisor_->stats().hangs, 1u);
    EXPECT_EQ(supervisor_->stats().kills, 0u);
}

TEST_F(Supervision, KillsAChildThatIsStopped)
{
    config_.hang_timeout = 1s;
    start("while printf x >&3; do sleep 0.05; done");
    wait_for_heartbeat();
    ::kill(observer_.wait_for_starts(1).started.front(), SIGSTOP);
    EXPECT_EQ(observer_.wait_for_ends(1).ended.front().reason, ExitReason::hang);
}

TEST_F(Supervision, DelaysTheRestartOfAChildThatHungFromTheStart)
{
    // It ran for longer than min_healthy, but without being healthy.
    config_.hang_timeout = RestartPolicy::min_healthy + 100ms;
    config_.limits.delay = 1s;
    config_.command = {{"/bin/sh", "-c", healthy}, {"PATH=/usr/bin:/bin"}};
    const auto supervisor = Supervisor::start(config_, observer_, control_);
    ASSERT_TRUE(supervisor);
    EXPECT_EQ(observer_.wait_for_ends(1).ended.front().reason, ExitReason::hang);
    const auto end = monotonic_now();
    observer_.wait_for_starts(2);
    EXPECT_GT(monotonic_now() - end, 500ms);
}

TEST_F(Supervision, AbandonsAChildThatDoesNotDieAndStartsAnother)
{
    config_.hang_timeout = 50ms;
    are_children_in_kernel = true;
    start(healthy);
    const auto end = observer_.wait_for_ends(1).ended.front();
    EXPECT_EQ(end.reason, ExitReason::hang);
    EXPECT_EQ(end.text, "hung: it sent no heartbeat, and does not die");
    observer_.wait_for_starts(2);
    are_children_in_kernel = false;
    EXPECT_EQ(::kill(end.pid, SIGKILL), 0) << "it no longer exists";
    EXPECT_TRUE(wait_until_gone(end.pid)) << "it was not reaped";
}

TEST_F(Supervision, StopsInSpiteOfAChildThatDoesNotDie)
{
    config_.stop_timeout = 50ms;
    are_children_in_kernel = true;
    start(healthy);
    const auto pid = observer_.wait_for_starts(1).started.front();
    EXPECT_EQ(supervisor_->stop().last_exit, "stopped");
    are_children_in_kernel = false;
    EXPECT_EQ(::kill(pid, SIGKILL), 0) << "it no longer exists";
    EXPECT_TRUE(wait_until_gone(pid)) << "it was not reaped";
}

TEST_F(Supervision, DoesNotBlockOnAFullErrorOutput)
{
    const ErrorPipe pipe;
    ErrorPipe::fill();
    config_.limits.max_restarts = 0;
    start("echo one >&2; exit 7");
    EXPECT_EQ(observer_.wait_for_gave_up().gave_up->errors, "one");
}

TEST_F(Supervision, SurvivesABrokenErrorOutput)
{
    ErrorPipe pipe;
    pipe.close_reader();
    config_.limits.max_restarts = 0;
    start("echo one >&2; exit 7");
    EXPECT_EQ(observer_.wait_for_gave_up().gave_up->errors, "one");
}

TEST_F(Supervision, KeepsAChildWithHeartbeats)
{
    config_.hang_timeout = 2s;
    start("i=0; while [ $i -lt 30 ]; do printf x >&3; sleep 0.1; i=$((i + 1)); done; exit 9");
    EXPECT_EQ(observer_.wait_for_ends(1).ended.front().text, "exited with status 9");
}

TEST_F(Supervision, GivesAChildMoreTimeForItsFirstHeartbeat)
{
    config_.hang_timeout = 1ms;
    start("sleep 0.2; exit 9");
    EXPECT_EQ(observer_.wait_for_ends(1).ended.front().text, "exited with status 9");
}

TEST_F(Supervision, KeepsASilentChildWithoutAHangTimeout)
{
    config_.hang_timeout = 0s;
    start("printf x >&3; sleep 0.2; exit 9");
    EXPECT_EQ(observer_.wait_for_ends(1).ended.front().text, "exited with status 9");
}

TEST_F(Supervision, ReplacesARunningChildWithAnotherCommandAtOnce)
{
    start(healthy);
    const auto first = observer_.wait_for_starts(1).started.front();
    supervisor_->replace({{"/bin/sh", "-c", "exit 9"}, {"PATH=/usr/bin:/bin"}});
    const auto ended = observer_.wait_for_ends(2).ended;
    EXPECT_EQ(ended[0].reason, ExitReason::replaced);
    EXPECT_EQ(ended[0].pid, first);
    EXPECT_EQ(ended[1].text, "exited with status 9");
    const auto stats = supervisor_->stats();
    EXPECT_EQ(stats.kills, 0u);
    EXPECT_GE(stats.restarts, 1u);
}

TEST_F(Supervision, ReplacesACommandWhoseRestartIsDelayed)
{
    config_.limits = {.delay = 1h, .max_delay = 1h};
    config_.command = {{"/bin/sh", "-c", "exit 1"}, {}};
    auto started = Supervisor::start(config_, observer_, control_);
    ASSERT_TRUE(started);
    supervisor_ = std::move(*started);
    observer_.wait_for_ends(1);
    supervisor_->replace({{"/bin/sh", "-c", "exit 9"}, {}});
    EXPECT_EQ(observer_.wait_for_ends(2).ended[1].text, "exited with status 9");
}

TEST_F(Supervision, MeasuresTheUsageOfTheChild)
{
    start("printf x >&3; while :; do :; done");
    const auto deadline = monotonic_now() + testing::wait_timeout;
    while (supervisor_->stats().usage.cpu_percent == 0 && monotonic_now() < deadline)
        std::this_thread::yield();
    const auto usage = supervisor_->stats().usage;
    EXPECT_GT(usage.cpu_percent, 1);
    EXPECT_LT(usage.cpu_percent, 110);
    EXPECT_GT(usage.rss, 100000u);
    EXPECT_GT(usage.vms, usage.rss);
}

} // namespace
} // namespace jkvm
