// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/supervise/child_process.h"

#include "core/base/time.h"
#include "support/raw_socket.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <poll.h>

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

/// All that the child writes into one of its pipes, to its end.
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

TEST(ChildProcess, GetsNoDescriptorThatItDoesNotNeed)
{
    const UniqueFd leaky(::open("/dev/null", O_RDONLY)); // somebody forgot O_CLOEXEC
    auto child = start("exec ls /proc/self/fd >&2");
    const auto listing = read_all(child->errors_fd());
    EXPECT_EQ(child->wait().code, 0);
    // One more is the directory that ls itself reads.
    EXPECT_EQ(listing, "0\n1\n2\n3\n4\n");
}

TEST(ChildProcess, GetsTheEnvironmentThatIsGiven)
{
    auto child = start("echo \"$A-$HOME\" >&2", {"A=b"});
    EXPECT_EQ(read_all(child->errors_fd()), "b-\n");
}

TEST(ChildProcess, StartsWithNoSignalIgnoredOrBlocked)
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
    constexpr std::uint64_t of_glibc = 3ull << 31; // signals 32 and 33, which nobody can send
    EXPECT_EQ(mask_blocked, 0u);
    EXPECT_EQ(mask_ignored & ~of_glibc, 0u);
}

TEST(ChildProcess, IsNotReachedByACtrlCThatIsMeantForUs)
{
    auto child = start("exec sleep 1000");
    EXPECT_EQ(::getpgid(child->pid()), child->pid());
}

TEST(ChildProcess, SendsHeartbeats)
{
    auto child = start("printf ab >&3");
    EXPECT_EQ(read_all(child->heartbeats_fd()), "ab");
}

TEST(ChildProcess, TellsHowItEnded)
{
    EXPECT_EQ(start("exit 7")->wait().text(), "exited with status 7");
    auto child = start("exec sleep 1000");
    child->send(SIGSEGV);
    const auto status = child->wait();
    EXPECT_EQ(status.signal, SIGSEGV);
    EXPECT_EQ(status.text(), "was killed by signal 11 (Segmentation fault)");
    EXPECT_EQ(child->wait().signal, SIGSEGV) << "the second time";
}

TEST(ChildProcess, ThatEndsIsNoticedByPoll)
{
    auto child = start("exec sleep 1000");
    pollfd end{child->end_fd(), POLLIN, 0};
    EXPECT_EQ(::poll(&end, 1, 0), 0);
    child->send(SIGKILL);
    EXPECT_EQ(::poll(&end, 1, -1), 1);
}

TEST(ChildProcess, ThatIsForgottenIsKilledAndReaped)
{
    pid_t pid = 0;
    {
        const auto child = start("exec sleep 1000");
        pid = child->pid();
    }
    EXPECT_NE(::kill(pid, 0), 0);
    EXPECT_EQ(errno, ESRCH);
}

TEST(ChildProcess, TakesWhatItStartedWithIt)
{
    // The number of a process that lives on in its group.
    auto child = start("sleep 1000 3>&- & echo $! >&3; exit 0");
    const auto left = std::stoi(read_all(child->heartbeats_fd()));
    EXPECT_EQ(child->wait().code, 0);
    // It is not ours to reap: whoever does that takes a moment, or never comes.
    const auto deadline = monotonic_now() + testing::patience;
    const auto state = [left] {
        std::ifstream file("/proc/" + std::to_string(left) + "/stat");
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

TEST(ChildProcess, EndsInAWayThatNobodyKnowsWhereTheKernelReapsIt)
{
    auto *handler = ::signal(SIGCHLD, SIG_IGN);
    auto child = start("exec sleep 1000");
    child->send(SIGSEGV);
    const auto status = child->wait();
    ::signal(SIGCHLD, handler);
    EXPECT_FALSE(status.is_known);
    EXPECT_EQ(status.text(), "ended; the application ignores SIGCHLD, so nobody knows how");
}

TEST(ChildProcess, ThatCannotBeExecutedIsAnError)
{
    const auto child = ChildProcess::start({{"/nonexistent/program"}, {}});
    ASSERT_FALSE(child);
    EXPECT_EQ(child.error().kind, ErrorKind::child_failed);
    EXPECT_EQ(child.error().errno_value, ENOENT);
    EXPECT_NE(child.error().detail.find("/nonexistent/program"), std::string::npos);
}

} // namespace
} // namespace jkvm
