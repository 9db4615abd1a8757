// SPDX-License-Identifier: LGPL-2.1-or-later
// What is sent in an IPC benchmark, and both its ends: who writes a message when it is time, and
// who looks at it when it has come.
#pragma once

#include "benchmarks/ipc/exchange.h"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace jkvm::benchmark {

/// An Opus packet of 20 ms as far as anybody looks, about as large as one of 96 kbit/s.
constexpr std::size_t message_size = 240;
constexpr std::chrono::milliseconds frame_duration{20};

/// Decides when the next message of a stream goes, and writes it. Used by one thread.
///
/// Until every listener has got one they do not count, and go slowly. Behind those that count
/// others tell that it was the last, again and again: a sender may drop what it cannot send.
class MessageWriter {
public:
    /// `first_listener`: of this stream's, among those of all streams.
    MessageWriter(const Plan &plan, Exchange &exchange, unsigned first_listener)
        : plan_(plan), exchange_(exchange), first_listener_(first_listener)
    {}

    /// Waits, and writes; the last that happens is the time stamp, which is returned. Nothing:
    /// there is no more to send.
    std::optional<std::int64_t> write(std::span<std::byte> message);

private:
    void wait(std::chrono::nanoseconds pace);
    bool wait_for_room();

    const Plan plan_;
    Exchange &exchange_;
    unsigned first_listener_;
    unsigned counted_ = 0; // messages that count, written so far
    bool has_sent_all_ = false;
    std::chrono::steady_clock::time_point next_ = std::chrono::steady_clock::now();
};

/// One listener's account. Used by one thread, and read when all have finished.
class Listener {
public:
    Listener(const Plan &plan, Exchange &exchange, unsigned number)
        : plan_(plan), exchange_(exchange), number_(number)
    {
        delays_.reserve(plan.messages);
    }

    /// A message has come.
    void take(std::span<const std::byte> message);

    /// Of those that count, in the order they came, nanoseconds.
    [[nodiscard]] const std::vector<std::int64_t> &delays() const { return delays_; }
    /// When the last of those came, CLOCK_MONOTONIC.
    [[nodiscard]] std::int64_t last_ns() const { return last_ns_; }
    /// How many came, all kinds together.
    [[nodiscard]] std::uint64_t taken() const { return taken_; }

private:
    const Plan plan_;
    Exchange &exchange_;
    unsigned number_;
    std::atomic<std::uint64_t> taken_{0}; // the clock of a pipeline looks at it, too
    bool has_finished_ = false;
    std::int64_t last_ns_ = 0;
    std::vector<std::int64_t> delays_;
};

} // namespace jkvm::benchmark
