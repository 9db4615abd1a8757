// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/socket/socket_watch.h"

#include "support/raw_socket.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <filesystem>

namespace jkvm {
namespace {

class SocketWatchTest : public ::testing::Test {
protected:
    bool is_readable() const
    {
        pollfd entry{watch_.fd(), POLLIN, 0};
        return ::poll(&entry, 1, 0) == 1;
    }

    testing::TemporaryDirectory directory_;
    std::string path_ = directory_.file("sub/dir/a.sock");
    SocketWatch watch_{path_};
};

TEST_F(SocketWatchTest, ReportsASocketThatAppearsInItsDirectory)
{
    std::filesystem::create_directories(directory_.file("sub/dir"));
    ASSERT_TRUE(watch_.arm());
    EXPECT_FALSE(is_readable());
    const auto other = testing::listen_at(directory_.file("sub/dir/b.sock"));
    EXPECT_FALSE(watch_.take_appearance()) << "of another name";
    const auto socket = testing::listen_at(path_);
    EXPECT_TRUE(is_readable());
    EXPECT_TRUE(watch_.take_appearance());
    EXPECT_FALSE(watch_.take_appearance()) << "it is reported once";
}

TEST_F(SocketWatchTest, ReportsASocketWhoseDirectoriesAppearFirst)
{
    ASSERT_TRUE(watch_.arm());
    std::filesystem::create_directory(directory_.file("sub"));
    EXPECT_TRUE(is_readable());
    EXPECT_FALSE(watch_.take_appearance());
    std::filesystem::create_directory(directory_.file("sub/dir"));
    const auto socket = testing::listen_at(path_);
    EXPECT_TRUE(watch_.take_appearance());
}

TEST_F(SocketWatchTest, ReportsASocketInADirectoryThatWasRecreated)
{
    std::filesystem::create_directories(directory_.file("sub/dir"));
    ASSERT_TRUE(watch_.arm());
    std::filesystem::remove_all(directory_.file("sub"));
    EXPECT_FALSE(watch_.take_appearance());
    std::filesystem::create_directories(directory_.file("sub/dir"));
    EXPECT_FALSE(watch_.take_appearance());
    const auto socket = testing::listen_at(path_);
    EXPECT_TRUE(watch_.take_appearance());
}

TEST_F(SocketWatchTest, ReportsASocketThatIsRenamedToThePath)
{
    std::filesystem::create_directories(directory_.file("sub/dir"));
    ASSERT_TRUE(watch_.arm());
    const auto socket = testing::listen_at(directory_.file("other.sock"));
    std::filesystem::rename(directory_.file("other.sock"), path_);
    EXPECT_TRUE(watch_.take_appearance());
}

TEST_F(SocketWatchTest, CannotBeArmedForAnAbstractName)
{
    SocketWatch watch("@name");
    EXPECT_FALSE(watch.arm());
    EXPECT_EQ(watch.fd(), -1);
}

TEST_F(SocketWatchTest, ReportsNothingWhileItIsDisarmed)
{
    std::filesystem::create_directories(directory_.file("sub/dir"));
    ASSERT_TRUE(watch_.arm());
    watch_.disarm();
    const auto socket = testing::listen_at(path_);
    ASSERT_TRUE(watch_.arm());
    EXPECT_FALSE(is_readable());
}

} // namespace
} // namespace jkvm
