// SPDX-License-Identifier: LGPL-2.1-or-later
// Runs a program in a test: collects its output, sends signals and waits for its end.
#pragma once

#include <sys/types.h>

#include <csignal>
#include <string>
#include <string_view>
#include <vector>

namespace jkvm::testing {

/// A running program. The destructor kills its process group. Not thread-safe.
class Program {
public:
    /// Starts the program as a shell does: in a new process group, with default signal handlers;
    /// standard input is /dev/null. `directory` is its working directory; empty = that of the test.
    /// Throws std::system_error if that fails.
    explicit Program(std::vector<std::string> command, const std::string &directory = {});
    Program(const Program &) = delete;
    Program &operator=(const Program &) = delete;
    ~Program();

    [[nodiscard]] pid_t pid() const { return pid_; }
    /// The part of its standard output and standard error that has been read so far.
    [[nodiscard]] const std::string &output() const { return output_; }

    /// Waits until `text` was printed `count` times. Returns false if the program ends before that,
    /// or, failing the test, if it prints nothing for a minute.
    bool wait_for_output(std::string_view text, int count = 1);

    void send(int signal) const { ::kill(pid_, signal); }
    /// Reads the output up to the end of the program. Returns its exit status, or 128 + signal
    /// number.
    int wait();

    /// Returns the number of occurrences of `text` in output().
    [[nodiscard]] int occurrences(std::string_view text) const;

private:
    bool read_more();

    pid_t pid_ = -1;
    int output_fd_ = -1;
    bool has_ended_ = false;
    std::string output_;
};

/// Returns the path of the sanitizer's shared library that this program was built with; empty
/// without one. A program that loads instrumented plugins needs it in LD_PRELOAD.
std::string sanitizer_library();

/// Returns a gst-launch-1.0 command line that preloads the sanitizer's library, if any, and
/// `library`, if not empty. `environment` has further variables (NAME=VALUE).
std::vector<std::string> gst_launch(const std::string &options_and_pipeline,
                                    const std::string &library = {},
                                    const std::vector<std::string> &environment = {});

} // namespace jkvm::testing
