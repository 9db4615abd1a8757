// SPDX-License-Identifier: LGPL-2.1-or-later
// Another program, run by a test: its output as it comes, signals, its end.
#pragma once

#include <sys/types.h>

#include <csignal>
#include <string>
#include <string_view>
#include <vector>

namespace jkvm::testing {

/// Killed, with all that it started, at the end of its life. Not thread-safe.
class Program {
public:
    /// Started as a shell does it: in a process group of its own, no signal ignored, no input.
    /// `directory`: where it runs; empty = where the test does. Failures throw.
    explicit Program(std::vector<std::string> command, const std::string &directory = {});
    Program(const Program &) = delete;
    Program &operator=(const Program &) = delete;
    ~Program();

    [[nodiscard]] pid_t pid() const { return pid_; }
    /// Both of its output streams, as far as they were read.
    [[nodiscard]] const std::string &output() const { return output_; }

    /// Waits until `text` was printed `count` times; false when the program ended without, or
    /// prints nothing for too long (which fails the test).
    bool wait_for_output(std::string_view text, int count = 1);

    void send(int signal) const { ::kill(pid_, signal); }
    /// Reads on to the end of the program; its exit status, or 128 and the signal.
    int wait();

    /// In what was read so far.
    [[nodiscard]] int occurrences(std::string_view text) const;

private:
    bool read_more();

    pid_t pid_ = -1;
    int output_fd_ = -1;
    bool has_ended_ = false;
    std::string output_;
};

/// The shared library of the sanitizer that this program was built with; empty without one. A
/// program that is to load instrumented plugins needs it in LD_PRELOAD.
std::string sanitizer_library();

/// A gst-launch-1.0 command line, with what a sanitizer needs in front. `library` is one more to be
/// preloaded, `environment` what it needs (NAME=VALUE).
std::vector<std::string> gst_launch(const std::string &options_and_pipeline,
                                    const std::string &library = {},
                                    const std::vector<std::string> &environment = {});

} // namespace jkvm::testing
