// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/socket/listening_socket.h"

#include "support/raw_socket.h"
#include "support/temporary_directory.h"
#include "unit/ipc/interposed_calls.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <fstream>

namespace jkvm {
namespace {

namespace fs = std::filesystem;
using testing::connect_to;
using testing::listen_at;

class ListeningSocketTest : public ::testing::Test {
protected:
    Result<ListeningSocket> open() { return ListeningSocket::open({.path = path_}); }

    testing::TemporaryDirectory directory_;
    std::string path_ = directory_.file("a.sock");
};

TEST_F(ListeningSocketTest, AcceptsConnectionsAndRemovesItsFiles)
{
    {
        auto socket = open();
        ASSERT_TRUE(socket);
        EXPECT_TRUE(connect_to(path_));
    }
    EXPECT_TRUE(fs::is_empty(directory_.path()));
}

TEST_F(ListeningSocketTest, HasMode0600ByDefault)
{
    auto socket = open();
    ASSERT_TRUE(socket);
    struct stat info {};
    ASSERT_EQ(::stat(path_.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(ListeningSocketTest, ReportsABusyPathToASecondServer)
{
    auto first = open();
    ASSERT_TRUE(first);
    auto second = open();
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().kind, ErrorKind::path_busy);
    EXPECT_EQ(second.error().subject, path_);
    EXPECT_TRUE(connect_to(path_));
}

TEST_F(ListeningSocketTest, TakesOverAStaleSocket)
{
    listen_at(path_).reset(); // closed without unlink, as after kill -9
    ASSERT_TRUE(fs::is_socket(path_));
    auto socket = open();
    ASSERT_TRUE(socket) << socket.error().detail;
    EXPECT_TRUE(connect_to(path_));
}

TEST_F(ListeningSocketTest, DetectsALiveServerWithoutALock)
{
    const auto foreign = listen_at(path_);
    ASSERT_EQ(::fcntl(foreign.get(), F_SETFL, O_NONBLOCK), 0);
    auto socket = open();
    ASSERT_FALSE(socket);
    EXPECT_EQ(socket.error().kind, ErrorKind::path_busy);
    // It must not even have been connected to: a newest-client-wins server would drop its client.
    EXPECT_LT(::accept(foreign.get(), nullptr, nullptr), 0);
    EXPECT_TRUE(connect_to(path_));
}

TEST_F(ListeningSocketTest, DetectsALiveServerOfAnotherUser)
{
    if (::geteuid() != 0)
        GTEST_SKIP() << "needs to become another user";
    const auto foreign = listen_at(path_);
    ASSERT_EQ(::chmod(path_.c_str(), 0600), 0);
    fs::permissions(directory_.path(), fs::perms::all); // any user may remove files here
    const pid_t child = ::fork();
    if (child == 0) {
        constexpr uid_t nobody = 65534;
        const bool is_refused = ::setuid(nobody) == 0 && !open();
        ::_exit(is_refused ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    EXPECT_TRUE(connect_to(path_)) << "it is still there";
}

TEST_F(ListeningSocketTest, ReportsTheOwnerOfAForeignLockFile)
{
    if (::geteuid() != 0)
        GTEST_SKIP() << "needs to become another user";
    const UniqueFd lock(::open((path_ + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    fs::permissions(directory_.path(), fs::perms::all);
    const pid_t child = ::fork();
    if (child == 0) {
        constexpr uid_t nobody = 65534;
        bool is_named = false;
        if (::setuid(nobody) == 0) {
            auto socket = open();
            is_named =
                !socket && socket.error().detail.find("belongs to uid 0") != std::string::npos;
        }
        ::_exit(is_named ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

TEST_F(ListeningSocketTest, RefusesALockFileThatIsASymbolicLink)
{
    const auto target = directory_.file("target");
    fs::create_symlink(target, path_ + ".lock");
    auto socket = open();
    ASSERT_FALSE(socket);
    EXPECT_EQ(socket.error().kind, ErrorKind::path_unusable);
    EXPECT_FALSE(fs::exists(target)) << "the link was not followed";
}

TEST_F(ListeningSocketTest, NeverHasMorePermissionsThanRequested)
{
    testing::mode_before_chmod = 07777;
    const auto umask_before = ::umask(0);
    const auto socket = open();
    ::umask(umask_before);
    ASSERT_TRUE(socket);
    EXPECT_EQ(testing::mode_before_chmod, 0600u) << "when bind() created the file";
}

TEST_F(ListeningSocketTest, MakesNoFileForAnAbstractSocket)
{
    const std::string name = "@jkvm-test-" + std::to_string(::getpid());
    auto socket = ListeningSocket::open({.path = name});
    ASSERT_TRUE(socket) << socket.error().detail;
    EXPECT_FALSE(fs::exists(name));
    auto second = ListeningSocket::open({.path = name});
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().kind, ErrorKind::path_busy);
}

TEST_F(ListeningSocketTest, HasTheRequestedModeWithAnyUmask)
{
    const auto before = ::umask(0077);
    auto socket = ListeningSocket::open({.path = path_, .mode = 0666});
    ::umask(before);
    ASSERT_TRUE(socket);
    struct stat info {};
    ASSERT_EQ(::stat(path_.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0666u);
}

TEST_F(ListeningSocketTest, UsesAnInheritedSocketAndKeepsItsFile)
{
    const auto given = listen_at(path_);
    // Inherited sockets start at descriptor 3; see sd_listen_fds(3).
    const int before = ::fcntl(3, F_DUPFD_CLOEXEC, 100);
    ASSERT_EQ(::dup2(given.get(), 3), 3);
    ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
    ::setenv("LISTEN_FDS", "1", 1);
    {
        auto socket = open();
        ASSERT_TRUE(socket) << socket.error().detail;
        EXPECT_FALSE(fs::exists(path_ + ".lock"));
    }
    ::unsetenv("LISTEN_PID");
    ::unsetenv("LISTEN_FDS");
    before >= 0 ? ::dup2(before, 3) : ::close(3);
    ::close(before);
    EXPECT_TRUE(fs::is_socket(path_));
    EXPECT_TRUE(connect_to(path_));
}

TEST_F(ListeningSocketTest, KeepsAFileThatIsNotASocket)
{
    std::ofstream(path_) << "precious";
    auto over_file = open();
    ASSERT_FALSE(over_file);
    EXPECT_EQ(over_file.error().kind, ErrorKind::path_unusable);
    EXPECT_EQ(fs::file_size(path_), 8u);
    fs::remove(path_);

    fs::create_directory(path_);
    EXPECT_EQ(open().error().kind, ErrorKind::path_unusable);
    EXPECT_TRUE(fs::is_directory(path_));
    fs::remove(path_);

    ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
    EXPECT_EQ(open().error().kind, ErrorKind::path_unusable);
    EXPECT_TRUE(fs::is_fifo(path_));
}

TEST_F(ListeningSocketTest, ReportsWhyAPathCannotBeBound)
{
    auto missing = ListeningSocket::open({.path = directory_.file("no/such/dir.sock")});
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().kind, ErrorKind::path_unusable);
    EXPECT_EQ(missing.error().errno_value, ENOENT);

    const std::string long_path = directory_.file(std::string(200, 'x'));
    auto too_long = ListeningSocket::open({.path = long_path});
    ASSERT_FALSE(too_long);
    EXPECT_EQ(too_long.error().kind, ErrorKind::path_unusable);
    EXPECT_EQ(too_long.error().subject, long_path);
    EXPECT_TRUE(fs::is_empty(directory_.path()));

    EXPECT_EQ(ListeningSocket::open({.path = ""}).error().kind, ErrorKind::path_unusable);
}

TEST_F(ListeningSocketTest, KeepsTheSocketOfAnotherServerWhenItCloses)
{
    UniqueFd other;
    {
        auto socket = open();
        ASSERT_TRUE(socket);
        fs::remove(path_);
        other = listen_at(path_);
        ASSERT_TRUE(other);
    }
    EXPECT_TRUE(connect_to(path_));
}

TEST_F(ListeningSocketTest, KeepsAFileThatOnlyHasTheNameOfALock)
{
    std::ofstream(path_ + ".lock") << "precious";
    auto socket = open();
    ASSERT_FALSE(socket);
    EXPECT_EQ(socket.error().kind, ErrorKind::path_unusable);
    EXPECT_EQ(fs::file_size(path_ + ".lock"), 8u);
}

TEST_F(ListeningSocketTest, IgnoresAStaleLockFile)
{
    std::ofstream(path_ + ".lock") << "";
    EXPECT_TRUE(open());
    EXPECT_TRUE(fs::is_empty(directory_.path()));
}

} // namespace
} // namespace jkvm
