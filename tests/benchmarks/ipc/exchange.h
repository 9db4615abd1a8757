// SPDX-License-Identifier: LGPL-2.1-or-later
// Shared memory between the two processes of an IPC benchmark: start and end of the measurement,
// flow control, and the sender's results.
#pragma once

#include <semaphore.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

namespace jkvm::benchmark {

struct Plan {
    unsigned streams = 1;     ///< senders
    unsigned listeners = 1;   ///< receivers per stream
    unsigned messages = 2000; ///< measured messages per stream
    /// Interval of the messages; 0 = as fast as the listeners accept them.
    std::chrono::nanoseconds pace{0};
    unsigned slow_us = 0;         ///< sleep before each send (µs), to test the benchmark itself
    unsigned reads = 1;           ///< reads per message on a raw socket: 2 = header, then payload
    const char *strace = nullptr; ///< file for a summary of the sender's system calls

    [[nodiscard]] unsigned all_listeners() const { return streams * listeners; }
};

/// State in memory that both processes share; created before the fork. All of it is atomic.
class Exchange {
public:
    static constexpr unsigned max_streams = 64;
    static constexpr unsigned max_listeners = 64; // of all streams
    /// Maximum number of messages in flight to one listener if the pace is 0. Listeners acknowledge
    /// `batch` messages at a time, so that the flow control costs almost nothing.
    static constexpr unsigned window = 64;
    static constexpr unsigned batch = 16;

    struct Free {
        void operator()(Exchange *exchange) const;
    };
    using Ptr = std::unique_ptr<Exchange, Free>;
    static Ptr make();

    // Set by the sending process, in this order.
    std::array<std::atomic<unsigned>, max_streams> ports{}; ///< TCP port of each stream
    std::atomic<bool> is_serving{false};                    ///< listeners may connect
    std::atomic<std::int64_t> begin_ns{0};                  ///< start of counting, CLOCK_MONOTONIC
    std::atomic<bool> is_counting{false};       ///< all listeners receive, so messages count
    std::atomic<unsigned> sent{0};              ///< streams that have sent all counted messages
    std::atomic<std::int64_t> sender_cpu_ns{0}; ///< CPU time of all threads while counting
    std::atomic<bool> is_measured{false};       ///< sender_cpu_ns is valid

    // Set by the receiving process.
    std::atomic<unsigned> receiving{0}; ///< listeners that received a message
    std::atomic<unsigned> finished{0};  ///< listeners that received the end of the stream

    std::atomic<bool> has_failed{false}; ///< one of the processes has failed

    /// Called by a listener when it has received `batch` messages.
    void add_credit(unsigned listener) { ::sem_post(&credits_[listener]); }
    /// Waits until `batch` messages may be sent to the listener. Returns false after a timeout.
    bool take_credit(unsigned listener);

    /// Polls the condition until it is true. Returns false after a timeout, or if a process has
    /// failed.
    [[nodiscard]] bool wait_until(const std::function<bool()> &condition) const;

private:
    Exchange();

    std::array<sem_t, max_listeners> credits_{};
};

/// Returns CLOCK_MONOTONIC, which both processes share (ns).
std::int64_t now_ns();
/// Returns the user and system time of all threads of this process (ns).
std::int64_t cpu_time_ns();

} // namespace jkvm::benchmark
