// SPDX-License-Identifier: LGPL-2.1-or-later
// Tests the commands and control directories of the test PCM, and the helper that tests use.
#include "alsa/commands.h"
#include "support/alsa_device.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

namespace jkvm::testing {
namespace {

using Kind = Command::Kind;
using std::chrono::milliseconds;

TEST(ParseCommand, KnowsEveryCommand)
{
    const std::vector<std::pair<const char *, Command>> cases = {
        {"xrun", {Kind::xrun}},
        {"suspend", {Kind::suspend}},
        {"unplug", {Kind::unplug}},
        {"freeze 250", {Kind::freeze, 250}},
        {"err EIO", {Kind::fail_once, EIO}},
        {"errs EBADFD", {Kind::fail_always, EBADFD}},
        {"errs 0", {Kind::fail_always, 0}},
        {"short 16", {Kind::short_reads, 16}},
        {"freq 440.5", {Kind::frequency, 440.5}},
        {"amp 0.25", {Kind::amplitude, 0.25}},
        {"constant -1", {Kind::constant, -1}},
        {"constant off", {Kind::constant, 0, true}},
        {"srcrate 44100", {Kind::source_rate, 44100}},
        {"ppm -250", {Kind::drift, -250}},
        {"gap 48", {Kind::gap, 48}},
        {"granularity 960", {Kind::granularity, 960}},
        {"jitter 500", {Kind::pointer_jitter, 500}},
        {"noresume 2", {Kind::refuse_resume, 2}},
        {"  gap\t48 \r", {Kind::gap, 48}},
    };
    for (const auto &[line, command] : cases)
        EXPECT_EQ(parse_command(line), command) << line;
}

TEST(ParseCommand, RejectsAnythingElse)
{
    for (const char *line : {"", "xruns", "xrun 1", "freeze", "freeze x", "freeze -1", "freeze 1 2",
                             "err 0", "err EFOO", "errs", "gap -5", "ppm", "ppm 1e400", "ppm nan",
                             "ppm 1e300", "constant on", "XRUN"})
        EXPECT_EQ(parse_command(line).kind, Kind::unknown) << line;
}

TEST(ParseErrno, ParsesNamesAndNumbers)
{
    EXPECT_EQ(parse_errno("EBUSY\n"), EBUSY);
    EXPECT_EQ(parse_errno("ESTRPIPE"), ESTRPIPE);
    EXPECT_EQ(parse_errno("16"), EBUSY);
    EXPECT_EQ(parse_errno("EWOULDBLOCK"), EAGAIN);
    EXPECT_EQ(parse_errno("EBUS"), std::nullopt);
    EXPECT_EQ(parse_errno(""), std::nullopt);
}

TEST(LineSplitter, AssemblesLinesFromChunks)
{
    LineSplitter lines;
    std::vector<std::string> taken;
    const auto take = [&taken](std::string_view line) { taken.emplace_back(line); };
    lines.feed("one\n\n  \ntw", take);
    lines.feed("o", take);
    EXPECT_EQ(taken, std::vector<std::string>{"one"});
    lines.feed("\nthree\nfo", take);
    EXPECT_EQ(taken, (std::vector<std::string>{"one", "two", "three"}));
}

TEST(LineSplitter, BoundsALineThatNeverEnds)
{
    LineSplitter lines;
    size_t length = 0;
    for (int i = 0; i < 100; i++)
        lines.feed(std::string(1000, 'x'), [](std::string_view) { FAIL(); });
    lines.feed("\n", [&length](std::string_view line) { length = line.size(); });
    EXPECT_EQ(length, 4096u);
}

TEST(ControlDirectory, ReadsCommandsSentBeforeItWasOpened)
{
    TestPcm test;
    test.send("xrun");
    test.send("gap 5");
    ControlDirectory control{test.directory()};
    control.open_commands();
    std::vector<std::string> taken;
    control.read_commands([&taken](std::string_view line) { taken.emplace_back(line); });
    EXPECT_EQ(taken, (std::vector<std::string>{"xrun", "gap 5"}));
}

TEST(ControlDirectory, CreatesItsFifo)
{
    TestPcm test;
    const auto fifo = std::filesystem::path(test.directory()) / "cmd";
    std::filesystem::remove(fifo);
    ControlDirectory control{test.directory()};
    control.open_commands();
    EXPECT_GE(control.command_fd(), 0);
    EXPECT_TRUE(std::filesystem::is_fifo(fifo));
}

TEST(ControlDirectory, ReadsNothingFromAFileThatIsNotAFifo)
{
    TestPcm test;
    const auto path = std::filesystem::path(test.directory()) / "cmd";
    std::filesystem::remove(path);
    std::ofstream{path} << "xrun\n";
    ControlDirectory control{test.directory()};
    control.open_commands();
    EXPECT_LT(control.command_fd(), 0);
}

TEST(ControlDirectory, ReadsItsFiles)
{
    TestPcm test;
    ControlDirectory control{test.directory()};
    EXPECT_EQ(control.read("open_errno"), std::nullopt);
    test.set_open_errno("EBUSY");
    EXPECT_EQ(control.read("open_errno"), "EBUSY");
    test.clear_open_errno();
    EXPECT_EQ(control.read("open_errno"), std::nullopt);
    test.set_rate(44100);
    EXPECT_EQ(control.read_number("rate"), 44100u);
    test.set_rate(0);
    EXPECT_EQ(control.read_number("rate"), std::nullopt);
    test.set_format("S16_LE S32_LE");
    EXPECT_EQ(control.read("format"), "S16_LE S32_LE");
    control.write("rate", "x1");
    EXPECT_EQ(control.read_number("rate"), std::nullopt);
}

TEST(ControlDirectory, LogsTimeProcessAndEvent)
{
    const TestPcm test;
    ControlDirectory control{test.directory()};
    control.log("start");
    std::istringstream line{test.log()};
    double seconds = 0;
    int process = 0;
    std::string event;
    line >> seconds >> process >> event;
    EXPECT_GT(seconds, 0);
    EXPECT_EQ(process, static_cast<int>(getpid()));
    EXPECT_EQ(event, "start");
}

TEST(ControlDirectory, DoesNothingWithoutADirectory)
{
    ControlDirectory control{""};
    control.open_commands();
    control.log("x");
    control.write("open_errno", "EBUSY");
    EXPECT_LT(control.command_fd(), 0);
    EXPECT_EQ(control.read("open_errno"), std::nullopt);
}

TEST(TestPcm, RemovesItsDirectory)
{
    std::string directory;
    {
        const TestPcm test;
        directory = test.directory();
        EXPECT_TRUE(std::filesystem::exists(directory));
    }
    EXPECT_FALSE(std::filesystem::exists(directory));
}

TEST(TestPcm, CountsAndWaitsForLinesOfTheLog)
{
    const TestPcm test;
    EXPECT_FALSE(test.wait_for_log("start", milliseconds(1)));
    std::thread writer([directory = test.directory()] {
        ControlDirectory control{directory};
        control.log("start");
        for (int i = 0; i < 1000; i++) // lets the wait start before the event
            control.log("stop");
        control.log("start again");
    });
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_TRUE(test.wait_for_log("start", milliseconds(20'000), 2));
    EXPECT_LT(std::chrono::steady_clock::now() - begin, milliseconds(10'000));
    writer.join();
    EXPECT_EQ(test.count_log("start"), 2u);
    EXPECT_EQ(test.count_log("stop"), 1000u);
    EXPECT_EQ(test.count_log("closed"), 0u);
}

} // namespace
} // namespace jkvm::testing
