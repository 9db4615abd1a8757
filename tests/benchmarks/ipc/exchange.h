// SPDX-License-Identifier: LGPL-2.1-or-later
// What the two processes of an IPC benchmark know of each other beside the messages: when to begin,
// how far the receivers are, what it cost.
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
    unsigned streams = 1;     ///< sending ends
    unsigned listeners = 1;   ///< receiving ends of each
    unsigned messages = 2000; ///< of each stream, those that count
    /// From one message to the next; 0 = as soon as the listeners have room.
    std::chrono::nanoseconds pace{0};
    unsigned slow_us = 0;         ///< a sleep in front of each send, for the test of the benchmark
    unsigned reads = 1;           ///< of a raw socket, for one message: 2 = header, then payload
    const char *strace = nullptr; ///< file for a summary of the sender's system calls

    [[nodiscard]] unsigned all_listeners() const { return streams * listeners; }
};

/// Lies in memory that both processes share; made before the fork. All of it is atomic.
class Exchange {
public:
    static constexpr unsigned max_streams = 64;
    static constexpr unsigned max_listeners = 64; // of all streams
    /// Without a pace so many messages may be on their way to one listener. It is asked about them
    /// once for `batch` messages, so that asking costs next to nothing.
    static constexpr unsigned window = 64;
    static constexpr unsigned batch = 16;

    struct Free {
        void operator()(Exchange *exchange) const;
    };
    using Ptr = std::unique_ptr<Exchange, Free>;
    static Ptr make();

    // Of the sending process, in this order.
    std::array<std::atomic<unsigned>, max_streams> ports{}; ///< where a stream is served by TCP
    std::atomic<bool> is_serving{false};                    ///< listeners may come
    std::atomic<std::int64_t> begin_ns{0};                  ///< CLOCK_MONOTONIC, shortly before ...
    std::atomic<bool> is_counting{false};       ///< ... messages count, because everybody listens
    std::atomic<unsigned> sent{0};              ///< streams that have sent all that count
    std::atomic<std::int64_t> sender_cpu_ns{0}; ///< what that took, all threads together
    std::atomic<bool> is_measured{false};       ///< sender_cpu_ns is there

    // Of the receiving process.
    std::atomic<unsigned> heard{0};    ///< listeners that got something
    std::atomic<unsigned> finished{0}; ///< listeners that got the end

    std::atomic<bool> has_failed{false}; ///< one of the processes gives up

    /// By a listener, for messages that it took.
    void give_room(unsigned listener) { ::sem_post(&room_[listener]); }
    /// For `batch` messages to one listener. False: there was none for too long.
    bool take_room(unsigned listener);

    /// Looks now and then until it is so. False: it took too long, or a process has failed.
    [[nodiscard]] bool wait_until(const std::function<bool()> &is_so) const;

private:
    Exchange();

    std::array<sem_t, max_listeners> room_{};
};

/// CLOCK_MONOTONIC, which both processes share.
std::int64_t now_ns();
/// User and system time of all threads of this process.
std::int64_t cpu_time_ns();

} // namespace jkvm::benchmark
