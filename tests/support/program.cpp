// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/program.h"

#include <gtest/gtest.h>

#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <sstream>
#include <system_error>

namespace jkvm::testing {

namespace {

/// Maximum time without output; generous, for sanitizers on a busy machine.
constexpr std::chrono::milliseconds wait_timeout = std::chrono::seconds(60);

} // namespace

Program::Program(std::vector<std::string> command, const std::string &directory)
{
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0)
        throw std::system_error(errno, std::generic_category(), "pipe2");
    output_fd_ = ends[0];

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    if (!directory.empty())
        posix_spawn_file_actions_addchdir_np(&actions, directory.c_str());
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t all;
    sigfillset(&all);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);

    std::vector<char *> arguments;
    arguments.reserve(command.size() + 1);
    for (auto &word : command)
        arguments.push_back(word.data());
    arguments.push_back(nullptr);
    const int error =
        posix_spawnp(&pid_, arguments[0], &actions, &attributes, arguments.data(), environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (error != 0)
        throw std::system_error(error, std::generic_category(), command[0]);
}

Program::~Program()
{
    close(output_fd_);
    if (!has_ended_) {
        kill(-pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
    }
}

bool Program::wait_for_output(std::string_view text, int count)
{
    while (occurrences(text) < count) {
        if (!read_more())
            return false;
    }
    return true;
}

int Program::wait()
{
    while (read_more()) {
    }
    int status = 0;
    waitpid(pid_, &status, 0);
    has_ended_ = true;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int Program::occurrences(std::string_view text) const
{
    int count = 0;
    for (auto at = output_.find(text); at != std::string::npos; at = output_.find(text, at + 1))
        ++count;
    return count;
}

bool Program::read_more()
{
    pollfd waiting = {output_fd_, POLLIN, 0};
    if (poll(&waiting, 1, static_cast<int>(wait_timeout.count())) <= 0) {
        ADD_FAILURE() << "no output for " << wait_timeout.count() << " ms, after:\n" << output_;
        kill(-pid_, SIGKILL);
        return false;
    }
    std::array<char, 4096> bytes{};
    const auto size = read(output_fd_, bytes.data(), bytes.size());
    if (size <= 0)
        return false;
    output_.append(bytes.data(), static_cast<std::size_t>(size));
    return true;
}

std::string sanitizer_library()
{
    for (const char *symbol : {"__asan_init", "__tsan_init"}) {
        Dl_info info;
        void *address = dlsym(RTLD_DEFAULT, symbol);
        if (address != nullptr && dladdr(address, &info) != 0)
            return info.dli_fname;
    }
    return {};
}

std::vector<std::string> gst_launch(const std::string &options_and_pipeline,
                                    const std::string &library,
                                    const std::vector<std::string> &environment)
{
    std::vector<std::string> command{"env"};
    // The sanitizer's library must be the first one and intercepts the exception functions when it
    // is loaded, so libstdc++ must be loaded with it: gst-launch-1.0 is a C program.
    auto libraries = sanitizer_library();
    if (!libraries.empty())
        libraries += " libstdc++.so.6";
    if (!library.empty())
        libraries += " " + library;
    if (!libraries.empty())
        command.push_back("LD_PRELOAD=" + libraries);
    command.insert(command.end(), environment.begin(), environment.end());
    command.emplace_back("gst-launch-1.0");
    std::istringstream words(options_and_pipeline);
    for (std::string word; words >> word;)
        command.push_back(word);
    return command;
}

} // namespace jkvm::testing
