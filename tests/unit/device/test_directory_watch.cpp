// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/device/directory_watch.h"

#include "support/temporary_directory.h"

#include <gtest/gtest.h>

#include <poll.h>

#include <filesystem>
#include <fstream>

namespace jkvm {
namespace {

class DirectoryWatchTest : public ::testing::Test {
protected:
    /// Whether a change is pending. Changes of files are reported before the call returns.
    [[nodiscard]] bool has_changed() const
    {
        pollfd entry{watch_.fd(), POLLIN, 0};
        return ::poll(&entry, 1, 0) == 1;
    }
    bool take_change()
    {
        const bool changed = has_changed();
        watch_.take_changes();
        return changed;
    }
    void create(const char *name) const { std::ofstream(directory_ / name) << "node"; }

    testing::TemporaryDirectory parent_;
    std::filesystem::path directory_ = parent_.file("snd");
    DirectoryWatch watch_{directory_.string()};
};

TEST_F(DirectoryWatchTest, NoticesEntriesThatAppearAndDisappear)
{
    std::filesystem::create_directory(directory_);
    EXPECT_TRUE(take_change());
    EXPECT_FALSE(has_changed());
    create("controlC0");
    EXPECT_TRUE(take_change());
    std::filesystem::remove(directory_ / "controlC0");
    EXPECT_TRUE(take_change());
    EXPECT_FALSE(has_changed());
}

TEST_F(DirectoryWatchTest, NoticesChangedPermissions)
{
    std::filesystem::create_directory(directory_);
    create("controlC0");
    watch_.take_changes();
    std::filesystem::permissions(directory_ / "controlC0", std::filesystem::perms::owner_read);
    EXPECT_TRUE(take_change());
}

TEST_F(DirectoryWatchTest, WatchesADirectoryThatIsCreatedAgain)
{
    std::filesystem::create_directory(directory_);
    watch_.take_changes();
    std::filesystem::remove(directory_);
    std::filesystem::create_directory(directory_);
    EXPECT_TRUE(take_change());
    create("controlC0");
    EXPECT_TRUE(take_change());
}

} // namespace
} // namespace jkvm
