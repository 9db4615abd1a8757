// SPDX-License-Identifier: LGPL-2.1-or-later
#include "benchmarks/ipc/system_calls.h"

#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <unistd.h>

namespace jkvm::benchmark {

namespace {

using namespace std::chrono_literals;

constexpr auto wait_timeout = 20s;

/// Whether a thread is traced; `thread` is its directory in /proc.
bool is_traced(const std::filesystem::path &thread)
{
    std::ifstream status(thread / "status");
    for (std::string line; std::getline(status, line);) {
        constexpr std::string_view tracer = "TracerPid:\t";
        if (line.starts_with(tracer))
            return line.substr(tracer.size()) != "0";
    }
    return false;
}

} // namespace

SystemCallCount::SystemCallCount(const std::string &file)
{
    ::prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY); // by default only an ancestor may trace
    const auto pid = std::to_string(::getpid());
    std::array<const char *, 9> command{"strace",     "-f", "-c",        "-qq",  "-o",
                                        file.c_str(), "-p", pid.c_str(), nullptr};
    const int error = ::posix_spawnp(&strace_, "strace", nullptr, nullptr,
                                     const_cast<char *const *>(command.data()), environ);
    if (error != 0)
        throw std::system_error(error, std::generic_category(), "strace");
    const auto deadline = std::chrono::steady_clock::now() + wait_timeout;
    while (
        !std::ranges::all_of(std::filesystem::directory_iterator("/proc/self/task"), is_traced)) {
        if (std::chrono::steady_clock::now() > deadline)
            throw std::runtime_error("strace did not attach");
        std::this_thread::sleep_for(1ms);
    }
}

SystemCallCount::~SystemCallCount()
{
    ::kill(strace_, SIGINT);
    ::waitpid(strace_, nullptr, 0);
}

} // namespace jkvm::benchmark
