// SPDX-License-Identifier: LGPL-2.1-or-later
// Writes the messages of an IPC benchmark at their time, and evaluates received ones.
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

/// Size of a message, which has the TOC byte of an Opus packet of 20 ms and about the size of one
/// at 96 kbit/s.
constexpr std::size_t message_size = 240;
constexpr std::chrono::milliseconds frame_duration{20};

/// Waits for the time of the next message of a stream and writes it. Used by one thread.
///
/// Messages do not count, and are sent slowly, until every listener has received one. After the
/// counted ones, end messages are sent repeatedly, because a transport may drop messages.
class MessageWriter {
public:
    /// `first_listener` is the number of this stream's first listener among those of all streams.
    MessageWriter(const Plan &plan, Exchange &exchange, unsigned first_listener)
        : plan_(plan), exchange_(exchange), first_listener_(first_listener)
    {}

    /// Waits, then writes the message and finally its timestamp, which it returns (CLOCK_MONOTONIC,
    /// ns). Returns nothing if there is nothing more to send.
    std::optional<std::int64_t> write(std::span<std::byte> message);

private:
    void wait(std::chrono::nanoseconds pace);
    bool wait_for_credit();

    const Plan plan_;
    Exchange &exchange_;
    unsigned first_listener_;
    unsigned counted_ = 0; // counted messages written so far
    bool has_sent_all_ = false;
    std::chrono::steady_clock::time_point next_ = std::chrono::steady_clock::now();
};

/// The results of one listener. Used by one thread, and read when all listeners have finished.
class Listener {
public:
    Listener(const Plan &plan, Exchange &exchange, unsigned number)
        : plan_(plan), exchange_(exchange), number_(number)
    {
        delays_.reserve(plan.messages);
    }

    void on_message(std::span<const std::byte> message);

    /// Delays of the counted messages in order of arrival (ns).
    [[nodiscard]] const std::vector<std::int64_t> &delays() const { return delays_; }
    /// Arrival of the last counted message, CLOCK_MONOTONIC (ns).
    [[nodiscard]] std::int64_t last_ns() const { return last_ns_; }
    /// Number of received messages of all kinds.
    [[nodiscard]] std::uint64_t received() const { return received_; }

private:
    const Plan plan_;
    Exchange &exchange_;
    unsigned number_;
    std::atomic<std::uint64_t> received_{0}; // also read by the pipeline's clock
    bool has_finished_ = false;
    std::int64_t last_ns_ = 0;
    std::vector<std::int64_t> delays_;
};

} // namespace jkvm::benchmark
