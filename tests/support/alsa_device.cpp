// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/alsa_device.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

namespace jkvm::testing {
namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void fail(const std::string &what)
{
    throw std::system_error(errno, std::generic_category(), what);
}

std::string make_directory()
{
    std::string path = (std::filesystem::temp_directory_path() / "jkvmtest-XXXXXX").string();
    if (!mkdtemp(path.data()))
        fail(path);
    return path;
}

std::string make_device(const TestPcm::Options &options, const std::string &directory)
{
    std::ostringstream device;
    device << "jkvmtest:DIR=" << directory << ",FREQ=" << options.frequency;
    if (!options.file.empty())
        device << ",FILE=" << std::filesystem::absolute(options.file).string();
    if (!options.loopback.empty())
        device << ",LOOP=" << options.loopback;
    if (options.rate > 0)
        device << ",RATE=" << options.rate;
    if (options.channels > 0)
        device << ",CHANNELS=" << options.channels;
    if (!options.format.empty())
        device << ",FORMAT=" << options.format;
    return device.str();
}

} // namespace

TestPcm::TestPcm(const Options &options)
    : directory_{make_directory()}, device_{make_device(options, directory_)}
{
    const std::string fifo = directory_ + "/cmd";
    if (mkfifo(fifo.c_str(), 0600) < 0)
        fail(fifo);
    commands_ = UniqueFd{open(fifo.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC)};
    if (!commands_)
        fail(fifo);
    std::ofstream{directory_ + "/log", std::ios::app}; // can be watched before the first open
}

TestPcm::~TestPcm()
{
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
}

void TestPcm::send(std::string_view command)
{
    const std::string line = std::string(command) + "\n";
    if (write(commands_.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size()))
        fail("cmd");
}

// Replaces a file atomically: a concurrent open sees the old content or the new content.
void TestPcm::put(const char *name, std::string_view content) const
{
    const std::string path = directory_ + "/" + name;
    std::ofstream file{path + ".new"};
    file << content << '\n';
    file.close();
    if (!file)
        fail(path);
    std::filesystem::rename(path + ".new", path);
}

void TestPcm::remove(const char *name) const
{
    std::filesystem::remove(directory_ + "/" + name);
}

void TestPcm::set_open_errno(std::string_view name)
{
    put("open_errno", name);
}

void TestPcm::clear_open_errno()
{
    remove("open_errno");
}

void TestPcm::set_at_open(std::string_view commands)
{
    if (commands.empty())
        return remove("at_open");
    put("at_open", commands);
}

void TestPcm::set_rate(unsigned rate)
{
    put("rate", std::to_string(rate));
}

void TestPcm::set_channels(unsigned channels)
{
    put("channels", std::to_string(channels));
}

void TestPcm::set_format(std::string_view formats)
{
    if (formats.empty())
        return remove("format");
    put("format", formats);
}

void TestPcm::continue_content()
{
    put("continue", "");
}

void TestPcm::record_playback()
{
    put("record", "");
}

void TestPcm::clear_recording()
{
    remove("played");
    std::filesystem::resize_file(directory_ + "/log", 0);
}

void TestPcm::simulate_clock()
{
    constexpr int64_t start = 1'000'000'000; // ns; 0 and 1 have a meaning as times of an alarm
    std::ofstream{directory_ + "/" + simulated_time_file, std::ios::binary}.write(
        reinterpret_cast<const char *>(&start), sizeof start);
    time_ = std::make_unique<DeviceTime>(directory_);
}

void TestPcm::advance(std::chrono::nanoseconds duration)
{
    time_->advance(duration.count());
    send(""); // an empty line is no command
}

std::string TestPcm::log() const
{
    const std::ifstream file{directory_ + "/log"};
    std::ostringstream text;
    if (file.rdbuf()->in_avail() != 0)
        text << file.rdbuf();
    return text.str();
}

size_t TestPcm::count_log(std::string_view text) const
{
    std::istringstream lines{log()};
    size_t count = 0;
    for (std::string line; std::getline(lines, line);)
        count += line.find(text) != std::string::npos ? 1 : 0;
    return count;
}

bool TestPcm::wait_for_log(std::string_view text, std::chrono::milliseconds timeout,
                           size_t count) const
{
    const auto end = Clock::now() + timeout;
    const UniqueFd watch{inotify_init1(IN_NONBLOCK | IN_CLOEXEC)};
    const std::string path = directory_ + "/log";
    if (!watch || inotify_add_watch(watch.get(), path.c_str(), IN_MODIFY) < 0)
        fail(path);
    // The watch exists before the log is read, so no line is missed in between.
    while (count_log(text) < count) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
        pollfd waiting = {watch.get(), POLLIN, 0};
        if (left.count() <= 0 || poll(&waiting, 1, static_cast<int>(left.count())) == 0)
            return count_log(text) >= count;
        std::array<char, 4096> events{};
        while (read(watch.get(), events.data(), events.size()) > 0) {
        }
    }
    return true;
}

} // namespace jkvm::testing
