// SPDX-License-Identifier: LGPL-2.1-or-later
// The supervisor with shell scripts for children.
#include "core/supervise/supervisor.h"

#include "support/raw_socket.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <functional>

/// While it is set no child hears a signal, as if it waited in the kernel for a device.
static std::atomic<bool> are_children_in_kernel{false};

/// Stands before that of the C library.
extern "C" int pidfd_send_signal(int fd, int signal, siginfo_t *info, unsigned flags) noexcept
{
    if (are_children_in_kernel)
        return 0;
    return static_cast<int>(::syscall(SYS_pidfd_send_signal, fd, signal, info, flags));
}

namespace jkvm {
namespace {

using namespace std::chrono_literals;

/// Puts a pipe in the place of this process's error output.
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

    void lose_reader() { reader_.reset(); }
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

/// Whether there is no such process any more, nor what is left of it.
bool is_gone(pid_t pid)
{
    const auto deadline = monotonic_now() + testing::patience;
    while (::kill(pid, 0) == 0) {
        if (monotonic_now() > deadline)
            return false;
        std::this_thread::yield();
    }
    return true;
}

class Observer final : public Supervisor::Observer {
public:
    struct Told {
        std::vector<pid_t> started;
        std::vector<ChildEnd> ended;
        std::optional<ChildEnd> gave_up;
    };

    void child_started(pid_t pid) override
    {
        note([pid](Told &told) { told.started.push_back(pid); });
    }
    void child_ended(const ChildEnd &end) override
    {
        note([&end](Told &told) { told.ended.push_back(end); });
    }
    void gave_up(const ChildEnd &end) override
    {
        note([&end](Told &told) { told.gave_up = end; });
    }

    /// What was told by the time that the condition holds.
    Told wait_for(const std::function<bool(const Told &)> &condition)
    {
        std::unique_lock lock(mutex_);
        EXPECT_TRUE(changed_.wait_for(lock, testing::patience, [&] { return condition(told_); }))
            << "it did not come";
        return told_;
    }
    Told wait_for_starts(std::size_t count)
    {
        return wait_for([count](const Told &told) { return told.started.size() >= count; });
    }
    Told wait_for_ends(std::size_t count)
    {
        return wait_for([count](const Told &told) { return told.ended.size() >= count; });
    }
    Told wait_for_gave_up()
    {
        return wait_for([](const Told &told) { return told.gave_up.has_value(); });
    }

private:
    void note(const std::function<void(Told &)> &change)
    {
        const std::lock_guard lock(mutex_);
        change(told_);
        changed_.notify_all();
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    Told told_;
};

/// Restarts come at once here; test_restart_policy has the delays.
class Supervision : public ::testing::Test {
protected:
    void start(const std::string &script)
    {
        config_.command = {{"/bin/sh", "-c", script}, {"PATH=/usr/bin:/bin"}};
        start_command();
    }
    void start_command()
    {
        config_.limits.delay = 0s;
        config_.limits.longest_delay = 0s;
        auto started = Supervisor::start(config_, observer_);
        ASSERT_TRUE(started);
        supervisor_ = std::move(*started);
    }
    void wait_for_heartbeat()
    {
        const auto deadline = monotonic_now() + testing::patience;
        while (supervisor_->stats().heartbeats == 0 && monotonic_now() < deadline)
            std::this_thread::yield();
        EXPECT_GT(supervisor_->stats().heartbeats, 0u);
    }

    Supervisor::Config config_;
    Observer observer_;
    std::unique_ptr<Supervisor> supervisor_; // stopped before the observer goes
};

constexpr const char *healthy = "printf x >&3; exec sleep 1000";

TEST_F(Supervision, StartsAKilledChildAgain)
{
    start(healthy);
    for (std::size_t i = 1; i <= 5; ++i) {
        ::kill(observer_.wait_for_starts(i).started.back(), SIGKILL);
        const auto end = observer_.wait_for_ends(i).ended.back();
        EXPECT_EQ(end.reason, EndReason::killed);
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

TEST_F(Supervision, GivesUpAtTheLimitWithTheLastReasonAndWords)
{
    config_.limits.max_restarts = 2;
    start("echo one >&2; echo two >&2; exit 7");
    const auto told = observer_.wait_for_gave_up();
    EXPECT_EQ(told.started.size(), 3u);
    EXPECT_EQ(told.ended.size(), 3u);
    EXPECT_EQ(told.gave_up->reason, EndReason::exited);
    EXPECT_EQ(told.gave_up->text, "exited with status 7");
    EXPECT_EQ(told.gave_up->errors, "one\ntwo");
    EXPECT_EQ(supervisor_->stats().exits, 3u);
}

TEST_F(Supervision, KeepsTheLastTenLinesOfManyMore)
{
    config_.limits.max_restarts = 0;
    start("i=0; while [ $i -lt 2000 ]; do i=$((i + 1)); echo line $i; done >&2");
    const auto errors = observer_.wait_for_gave_up().gave_up->errors;
    EXPECT_TRUE(errors.starts_with("line 1991\n")) << errors;
    EXPECT_TRUE(errors.ends_with("line 2000")) << errors;
}

TEST_F(Supervision, CountsACleanExit)
{
    config_.limits.max_restarts = 3;
    start("exit 0");
    EXPECT_EQ(observer_.wait_for_gave_up().started.size(), 4u);
}

TEST_F(Supervision, CountsAChildThatCannotBeStarted)
{
    config_.limits.max_restarts = 3;
    config_.command = {{"/nonexistent/program"}, {}};
    start_command();
    const auto told = observer_.wait_for_gave_up();
    EXPECT_TRUE(told.started.empty());
    EXPECT_EQ(told.ended.size(), 4u);
    EXPECT_EQ(told.gave_up->reason, EndReason::failed);
    EXPECT_NE(told.gave_up->text.find("/nonexistent/program"), std::string::npos);
    EXPECT_EQ(supervisor_->stats().failures, 4u);
}

TEST_F(Supervision, DoesNotTryAgainWhatIsInVain)
{
    start("echo chatter >&2; echo why not >&2; exit 78");
    const auto told = observer_.wait_for_gave_up();
    EXPECT_EQ(told.started.size(), 1u);
    EXPECT_EQ(told.gave_up->reason, EndReason::failed);
    EXPECT_EQ(told.gave_up->text, "why not");
}

TEST_F(Supervision, TriesForEverIfToldSo)
{
    config_.limits.max_restarts = 1;
    config_.retries_for_ever = true;
    start("exit 78");
    EXPECT_FALSE(observer_.wait_for_ends(10).gave_up);
}

TEST_F(Supervision, KillsAChildWithoutHeartbeats)
{
    config_.hang_timeout = 50ms;
    start(healthy);
    const auto end = observer_.wait_for_ends(1).ended.front();
    EXPECT_EQ(end.reason, EndReason::hang);
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
    EXPECT_EQ(observer_.wait_for_ends(1).ended.front().reason, EndReason::hang);
}

TEST_F(Supervision, TakesAChildThatHungAtOnceForOneThatDiedYoung)
{
    // It was there for longer than its youth, but for no moment healthy.
    config_.hang_timeout = RestartPolicy::youth + 100ms;
    config_.limits.delay = 1s;
    config_.command = {{"/bin/sh", "-c", healthy}, {"PATH=/usr/bin:/bin"}};
    const auto supervisor = Supervisor::start(config_, observer_);
    ASSERT_TRUE(supervisor);
    EXPECT_EQ(observer_.wait_for_ends(1).ended.front().reason, EndReason::hang);
    const auto end = monotonic_now();
    observer_.wait_for_starts(2);
    EXPECT_GT(monotonic_now() - end, 500ms);
}

TEST_F(Supervision, LeavesAChildThatDoesNotDieAndStartsAnother)
{
    config_.hang_timeout = 50ms;
    are_children_in_kernel = true;
    start(healthy);
    const auto end = observer_.wait_for_ends(1).ended.front();
    EXPECT_EQ(end.reason, EndReason::hang);
    EXPECT_EQ(end.text, "hung: there was no heartbeat, and it does not die");
    observer_.wait_for_starts(2);
    are_children_in_kernel = false;
    EXPECT_EQ(::kill(end.pid, SIGKILL), 0) << "it is there yet";
    EXPECT_TRUE(is_gone(end.pid)) << "it is not reaped";
}

TEST_F(Supervision, StopsWithoutAChildThatDoesNotDie)
{
    config_.stop_timeout = 50ms;
    are_children_in_kernel = true;
    start(healthy);
    const auto pid = observer_.wait_for_starts(1).started.front();
    EXPECT_EQ(supervisor_->stop().last_exit, "stopped");
    are_children_in_kernel = false;
    EXPECT_EQ(::kill(pid, SIGKILL), 0) << "it is there yet";
    EXPECT_TRUE(is_gone(pid)) << "it is not reaped";
}

TEST_F(Supervision, DoesNotWaitForWhoReadsOurErrorOutput)
{
    const ErrorPipe pipe;
    ErrorPipe::fill();
    config_.limits.max_restarts = 0;
    start("echo one >&2; exit 7");
    EXPECT_EQ(observer_.wait_for_gave_up().gave_up->errors, "one");
}

TEST_F(Supervision, DoesNotDieOfABrokenErrorOutput)
{
    ErrorPipe pipe;
    pipe.lose_reader();
    config_.limits.max_restarts = 0;
    start("echo one >&2; exit 7");
    EXPECT_EQ(observer_.wait_for_gave_up().gave_up->errors, "one");
}

TEST_F(Supervision, LeavesAChildWithHeartbeatsAlone)
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

TEST_F(Supervision, NeverTakesAChildForHungIfToldSo)
{
    config_.hang_timeout = 0s;
    start("printf x >&3; sleep 0.2; exit 9");
    EXPECT_EQ(observer_.wait_for_ends(1).ended.front().text, "exited with status 9");
}

TEST_F(Supervision, TakesADeliberateStopForNoCrash)
{
    start(healthy);
    const auto pid = observer_.wait_for_starts(1).started.front();
    const auto stats = supervisor_->stop();
    EXPECT_FALSE(stats.running);
    EXPECT_EQ(stats.pid, 0);
    EXPECT_EQ(stats.last_exit, "stopped");
    EXPECT_EQ(stats.exits + stats.kills + stats.hangs + stats.failures, 0u);
    EXPECT_TRUE(observer_.wait_for_starts(1).ended.empty());
    EXPECT_NE(::kill(pid, 0), 0) << "a process or a zombie is left";
}

TEST_F(Supervision, LetsAChildCompleteItsWork)
{
    const auto script =
        "trap 'echo done >&2; exit' TERM; printf x >&3; while :; do sleep 0.01; done";
    ::testing::internal::CaptureStderr(); // what a child says is said by us too
    start(script);
    observer_.wait_for_starts(1);
    wait_for_heartbeat(); // until the trap is set, a SIGTERM is the end
    supervisor_->stop();
    EXPECT_EQ(::testing::internal::GetCapturedStderr(), "done\n");
}

TEST_F(Supervision, KillsAChildThatDoesNotWantToEnd)
{
    config_.stop_timeout = 50ms;
    start("trap '' TERM; printf x >&3; exec sleep 1000");
    const auto pid = observer_.wait_for_starts(1).started.front();
    wait_for_heartbeat();
    supervisor_->stop();
    EXPECT_NE(::kill(pid, 0), 0);
}

TEST_F(Supervision, EndsAStoppedChildWithoutWaitingForTheTimeOut)
{
    config_.stop_timeout = 1h;
    config_.hang_timeout = 0s;
    start(healthy);
    ::kill(observer_.wait_for_starts(1).started.front(), SIGSTOP);
    EXPECT_EQ(supervisor_->stop().last_exit, "stopped");
}

TEST_F(Supervision, CanBeStoppedWhileItWaits)
{
    config_.limits = {.delay = 1h, .longest_delay = 1h};
    config_.command = {{"/bin/sh", "-c", "exit 1"}, {}};
    auto supervisor = Supervisor::start(config_, observer_);
    ASSERT_TRUE(supervisor);
    observer_.wait_for_ends(1);
    EXPECT_EQ((*supervisor)->stop().last_exit, "exited with status 1");
}

TEST_F(Supervision, MeasuresTheChild)
{
    start("printf x >&3; while :; do :; done");
    const auto deadline = monotonic_now() + testing::patience;
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
