// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/supervise/child_process.h"

#include "core/base/time.h"
#include "support/raw_socket.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>

namespace jkvm {
namespace {

std::unique_ptr<ChildProcess> start(const std::string &script,
                                    std::vector<std::string> environment = {"PATH=/usr/bin:/bin"})
{
    auto child = ChildProcess::start({{"/bin/sh", "-c", script}, std::move(environment)});
    EXPECT_TRUE(child);
    return std::move(*child);
}

/// Reads one of the child's pipes up to its end.
std::string read_all(int fd)
{
    std::string text;
    std::array<char, 1024> space{};
    for (;;) {
        pollfd entry{fd, POLLIN, 0};
        ::poll(&entry, 1, -1);
        const auto count = ::read(fd, space.data(), space.size());
        if (count <= 0)
            return text;
        text.append(space.data(), static_cast<std::size_t>(count));
    }
}

TEST(ChildProcess, InheritsNoOtherDescriptor)
{
    const UniqueFd leaky(::open("/dev/null", O_RDONLY)); // without O_CLOEXEC
    auto child = start("exec ls /proc/self/fd >&2");
    const auto listing = read_all(child->errors_fd());
    EXPECT_EQ(child->wait().code, 0);
    // 5 is the directory that ls reads.
    EXPECT_EQ(listing, "0\n1\n2\n3\n4\n5\n");
}

TEST(ChildProcess, HasOnlyTheGivenEnvironment)
{
    auto child = start("echo \"$A-$HOME\" >&2", {"A=b"});
    EXPECT_EQ(read_all(child->errors_fd()), "b-\n");
}

TEST(ChildProcess, StartsWithDefaultSignals)
{
    sigset_t blocked;
    sigset_t before;
    sigfillset(&blocked);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    auto *handler = ::signal(SIGPIPE, SIG_IGN);
    auto child = start(R"(exec sed -n 's/^Sig\(Blk\|Ign\)://p' /proc/self/status >&2)");
    ::signal(SIGPIPE, handler);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    std::istringstream masks(read_all(child->errors_fd()));
    std::uint64_t mask_blocked = 0;
    std::uint64_t mask_ignored = 0;
    ASSERT_TRUE(masks >> std::hex >> mask_blocked >> mask_ignored);
    constexpr std::uint64_t glibc_signals = 3ull << 31; // 32 and 33, reserved
    EXPECT_EQ(mask_blocked, 0u);
    EXPECT_EQ(mask_ignored & ~glibc_signals, 0u);
}

TEST(ChildProcess, LeadsAProcessGroupOfItsOwn)
{
    auto child = start("exec sleep 1000");
    EXPECT_EQ(::getpgid(child->pid()), child->pid());
}

TEST(ChildProcess, SendsHeartbeats)
{
    auto child = start("printf ab >&3");
    EXPECT_EQ(read_all(child->heartbeats_fd()), "ab");
}

TEST(ChildProcess, ReportsExitStatusOrSignal)
{
    EXPECT_EQ(start("exit 7")->wait().text(), "exited with status 7");
    auto child = start("exec sleep 1000");
    child->send(SIGSEGV);
    const auto status = child->wait();
    EXPECT_EQ(status.signal, SIGSEGV);
    EXPECT_EQ(status.text(), "was killed by signal 11 (Segmentation fault)");
    EXPECT_EQ(child->wait().signal, SIGSEGV) << "second call";
}

TEST(ChildProcess, MakesEndFdReadableWhenItEnds)
{
    auto child = start("exec sleep 1000");
    pollfd end{child->end_fd(), POLLIN, 0};
    EXPECT_EQ(::poll(&end, 1, 0), 0);
    child->send(SIGKILL);
    EXPECT_EQ(::poll(&end, 1, -1), 1);
}

TEST(ChildProcess, IsKilledAndReapedByTheDestructor)
{
    pid_t pid = 0;
    {
        const auto child = start("exec sleep 1000");
        pid = child->pid();
    }
    EXPECT_NE(::kill(pid, 0), 0);
    EXPECT_EQ(errno, ESRCH);
}

TEST(ChildProcess, KillsItsProcessGroupWhenItEnds)
{
    // Pid of a process in the child's group that outlives the child.
    auto child = start("sleep 1000 3>&- & echo $! >&3; exit 0");
    const auto orphan = std::stoi(read_all(child->heartbeats_fd()));
    EXPECT_EQ(child->wait().code, 0);
    // The orphan is reaped by init, later or never.
    const auto deadline = monotonic_now() + testing::wait_timeout;
    const auto state = [orphan] {
        std::ifstream file("/proc/" + std::to_string(orphan) + "/stat");
        std::string number;
        std::string name;
        char letter = 'X';
        file >> number >> name >> letter;
        return letter;
    };
    while (state() != 'X' && state() != 'Z' && monotonic_now() < deadline)
        std::this_thread::yield();
    EXPECT_TRUE(state() == 'X' || state() == 'Z') << state();
}

TEST(ChildProcess, HasAnUnknownStatusIfSigchldIsIgnored)
{
    auto *handler = ::signal(SIGCHLD, SIG_IGN);
    auto child = start("exec sleep 1000");
    child->send(SIGSEGV);
    const auto status = child->wait();
    ::signal(SIGCHLD, handler);
    EXPECT_FALSE(status.is_known);
    EXPECT_EQ(status.text(),
              "ended with an unknown status, because the application ignores SIGCHLD");
}

TEST(ChildProcess, IsUnstartableIfTheProgramIsMissing)
{
    const auto child = ChildProcess::start({{"/nonexistent/program"}, {}});
    ASSERT_FALSE(child);
    EXPECT_EQ(child.error().kind, ErrorKind::child_unstartable);
    EXPECT_EQ(child.error().errno_value, ENOENT);
    EXPECT_NE(child.error().detail.find("/nonexistent/program"), std::string::npos);
}

TEST(ChildProcess, IsUnstartableIfTheProgramIsNotExecutable)
{
    const auto child = ChildProcess::start({{"/etc/passwd"}, {}});
    ASSERT_FALSE(child);
    EXPECT_EQ(child.error().kind, ErrorKind::child_unstartable);
}

TEST(ChildProcess, FailsForNowWithoutDescriptors)
{
    rlimit before{};
    ::getrlimit(RLIMIT_NOFILE, &before);
    const rlimit none{0, before.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &none);
    const auto child = ChildProcess::start({{"/bin/true"}, {}});
    ::setrlimit(RLIMIT_NOFILE, &before);
    ASSERT_FALSE(child);
    EXPECT_EQ(child.error().kind, ErrorKind::child_failed);
    EXPECT_EQ(child.error().errno_value, EMFILE);
}

} // namespace
} // namespace jkvm
