// SPDX-License-Identifier: LGPL-2.1-or-later
// The part of a program's run that a benchmark is about: so many frames, once it has settled.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

#include <sys/types.h>

// Valgrind finds these two by their names, and so do preloaded libraries: where one has a function
// called preloaded_window_begins, preloaded_window_ends or preloaded_frame_arrived, it is told.
extern "C" {
void bench_window_begins();
void bench_window_ends();
}

namespace jkvm::benchmark {

/// Counts frames and notes what this process does between the first and the last of the window.
class MeasuredWindow {
public:
    /// The window is `frames` long and begins behind the first `settle`.
    MeasuredWindow(std::uint64_t settle, std::uint64_t frames);

    /// One more has arrived where they end. On one thread. False: the window is over.
    bool count();

    /// As JSON: "frames", "ns", "processor_ns" (of all threads), "switches" (voluntary, of all
    /// threads), "threads" (that did so at least once in ten frames).
    [[nodiscard]] std::string report() const;

private:
    using Switches = std::map<pid_t, std::uint64_t>; // voluntary, by thread
    static Switches read_switches();
    static std::chrono::nanoseconds processor_time();

    const std::uint64_t begin_;
    const std::uint64_t end_;
    std::uint64_t frames_ = 0;
    // At the begin, then in the window.
    std::chrono::nanoseconds time_{0};
    std::chrono::nanoseconds processor_time_{0};
    Switches switches_;
};

} // namespace jkvm::benchmark
