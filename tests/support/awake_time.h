// SPDX-License-Identifier: LGPL-2.1-or-later
// Measures how long something takes, without the time for which the machine stopped this process.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

namespace jkvm::testing {

/// Counts the time since its construction in a thread that wakes up every millisecond. A wake-up
/// that is later than `largest_step` counts as that: a virtual machine may lose its processors for
/// some 100 ms. For upper bounds of real time only.
class AwakeTime {
public:
    static constexpr std::chrono::nanoseconds largest_step = std::chrono::milliseconds(5);

    AwakeTime() : ticker_([this](const std::stop_token &stop) { run(stop); }) {}

    [[nodiscard]] std::chrono::nanoseconds elapsed() const { return elapsed_.load(); }

private:
    void run(const std::stop_token &stop)
    {
        using Clock = std::chrono::steady_clock;
        for (auto last = Clock::now(); !stop.stop_requested();) {
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
            const auto now = Clock::now();
            elapsed_ =
                elapsed_.load() + std::min<std::chrono::nanoseconds>(now - last, largest_step);
            last = now;
        }
    }

    std::atomic<std::chrono::nanoseconds> elapsed_{std::chrono::nanoseconds(0)};
    std::jthread ticker_; // the last member: it uses the others
};

} // namespace jkvm::testing
