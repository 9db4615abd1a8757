// SPDX-License-Identifier: LGPL-2.1-or-later
// Measures a program over a number of frames after it has settled.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

#include <sys/types.h>

// Markers that valgrind finds by name. They call the functions preloaded_window_begins() and
// preloaded_window_ends() of a preloaded library, if there are any; MeasuredWindow::count() calls
// preloaded_frame_arrived().
extern "C" {
void bench_window_begins();
void bench_window_ends();
}

namespace jkvm::benchmark {

/// Counts frames and measures the process between the first and the last frame of the window.
class MeasuredWindow {
public:
    /// The window has `frames` frames and begins after the first `settle` frames.
    MeasuredWindow(std::uint64_t settle, std::uint64_t frames);

    /// Counts a frame that has arrived at the end of the chain. Called by one thread. Returns false
    /// after the last frame of the window.
    bool count();

    /// Returns JSON with "frames", "ns", "processor_ns" (all threads), "switches" (voluntary
    /// context switches of all threads) and "threads" (those that switched at least once in ten
    /// frames).
    [[nodiscard]] std::string report() const;

private:
    using Switches = std::map<pid_t, std::uint64_t>; // voluntary, by thread
    static Switches read_switches();
    static std::chrono::nanoseconds processor_time();

    const std::uint64_t begin_;
    const std::uint64_t end_;
    std::uint64_t frames_ = 0;
    // Values at the start of the window; after its end, the differences.
    std::chrono::nanoseconds time_{0};
    std::chrono::nanoseconds processor_time_{0};
    Switches switches_;
};

} // namespace jkvm::benchmark
