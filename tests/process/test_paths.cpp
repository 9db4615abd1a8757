// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests files that already exist at the socket path, and obstacles to listening on it.
#include "element_process.h"
#include "fault_counts.h"
#include "support/child_process.h"
#include "support/footprint.h"

#include <gtest/gtest.h>

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

namespace jkvm::testing {
namespace {

namespace fs = std::filesystem;

class Paths : public ::testing::TestWithParam<Part> {
protected:
    /// Runs a second element that listens on the path, which must fail. Returns its output.
    [[nodiscard]] std::string output_of_failed_start(
        const std::string &path, const std::string &library = {},
        const std::vector<std::string> &environment = {}) const
    {
        Program program(
            gst_launch(pipeline_of(GetParam(), "socket-path=" + path), library, environment));
        EXPECT_NE(program.wait(), 0) << program.output();
        return program.output();
    }
    /// Expects that a failed attempt did not change the file.
    void expect_unchanged(const std::string &path, const struct stat &before) const
    {
        struct stat after {};
        ASSERT_EQ(::lstat(path.c_str(), &after), 0) << path << " was removed";
        EXPECT_EQ(after.st_ino, before.st_ino);
        EXPECT_EQ(after.st_mode, before.st_mode);
        EXPECT_FALSE(fs::exists(path + ".lock"));
    }
    void expect_existing_file_is_kept(const std::string &path) const
    {
        struct stat before {};
        ASSERT_EQ(::lstat(path.c_str(), &before), 0);
        const auto output = output_of_failed_start(path);
        EXPECT_NE(output.find("not a socket"), std::string::npos) << output;
        expect_unchanged(path, before);
    }

    TemporaryDirectory directory_;
    std::string path_ = directory_.file("a.sock");
};

TEST_P(Paths, DirectoryAtThePathIsKept)
{
    ASSERT_TRUE(fs::create_directory(path_));
    expect_existing_file_is_kept(path_);
}

TEST_P(Paths, PipeAtThePathIsKept)
{
    ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
    expect_existing_file_is_kept(path_);
}

TEST_P(Paths, RegularFileAtThePathIsKept)
{
    std::ofstream(path_) << "precious";
    expect_existing_file_is_kept(path_);
    std::string content;
    std::ifstream(path_) >> content;
    EXPECT_EQ(content, "precious");
}

TEST_P(Paths, SecondServerFailsAndFirstContinues)
{
    ElementProcess first(GetParam());
    const auto output = output_of_failed_start(first.path());
    EXPECT_NE(output.find("another server is using it"), std::string::npos) << output;
    first.expect_audio();
    first.expect_clean_exit();
}

TEST_P(Paths, FullDiskWithoutRoomForTheLockIsReported)
{
    const char *faults = std::getenv("JKVM_FAULTS"); // NOLINT(concurrency-mt-unsafe): one thread
    ASSERT_NE(faults, nullptr);
    const auto output = output_of_failed_start(path_, faults, {"JKVM_DISK_FULL=a.sock.lock"});
    EXPECT_NE(output.find("No space left on device"), std::string::npos) << output;
    EXPECT_NE(output.find("a.sock.lock"), std::string::npos) << output;
    EXPECT_TRUE(fs::is_empty(directory_.path()));
}

TEST_P(Paths, OtherUsersAreRefusedByFileModeAndByAllowedUids)
{
    if (::geteuid() != 0)
        GTEST_SKIP() << "only root can become another user";
    constexpr uid_t nobody = 65534;
    const auto connect_as_nobody = [](const std::string &path) {
        fs::permissions(fs::path(path).parent_path(), fs::perms(0755));
        return ChildProcess([&path] {
                   if (::setuid(nobody) != 0)
                       return 1;
                   const auto fd = connect_to(path);
                   if (!fd)
                       return 2;
                   return receive(fd.get(), 1).empty() ? 3 : 4;
               })
            .wait();
    };
    ElementProcess closed(GetParam());
    EXPECT_EQ(connect_as_nobody(closed.path()), 2)
        << "exit status 2 means that it could not connect";
    closed.expect_audio();

    ElementProcess open(GetParam(), "socket-mode=438 allowed-uids=<0>");
    EXPECT_EQ(connect_as_nobody(open.path()), 3)
        << "exit status 3 means that the connection was closed without data";
    open.expect_reason("forbidden");
    open.expect_audio();
    open.expect_clean_exit();
}

TEST_P(Paths, ServerDoesNotSpinWhenNoDescriptorIsFree)
{
    ElementProcess element(GetParam());
    const auto first = element.connect_peer();
    element.expect_audio(first.get());
    rlimit before{};
    ASSERT_EQ(::prlimit(element.pid(), RLIMIT_NOFILE, nullptr, &before), 0);
    // The limit applies to new descriptors only; existing ones stay open.
    const rlimit now{3, before.rlim_max};
    ASSERT_EQ(::prlimit(element.pid(), RLIMIT_NOFILE, &now, nullptr), 0);
    const auto second = element.connect_peer(); // not accepted, stays in the backlog
    const auto cpu_time = cpu_time_of(element.pid());
    for (int i = 0; i < 50; ++i) {
        element.expect_audio(first.get());
        if (!is_sink(GetParam())) // the test itself sends in real time
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    EXPECT_LT(cpu_time_of(element.pid()), cpu_time + 200) << "CPU time (ms) used within one second";
    ASSERT_EQ(::prlimit(element.pid(), RLIMIT_NOFILE, &before, nullptr), 0);
    element.expect_audio(second.get());
    element.expect_clean_exit();
}

INSTANTIATE_TEST_SUITE_P(All, Paths, ::testing::Values(Part::sink_listens, Part::source_listens),
                         [](const auto &info) { return name_of(info.param); });

} // namespace
} // namespace jkvm::testing
