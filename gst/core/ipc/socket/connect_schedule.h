// SPDX-License-Identifier: LGPL-2.1-or-later
// Decides when a connecting end tries to connect again.
#pragma once

#include "core/base/backoff.h"

#include <optional>

namespace jkvm {

/// The pauses between attempts grow from `first_pause` to `longest_pause`, unless a server is about
/// to appear. After a connection that lasted, they start from the first pause again; not after one
/// that was closed immediately or in which the server turned this end away. Thread-bound.
class ConnectSchedule {
public:
    /// Pause between attempts while a socket has just appeared: a server calls bind() before
    /// listen().
    static constexpr nanoseconds appearance_pause = std::chrono::milliseconds(10);
    /// How long these attempts last.
    static constexpr nanoseconds appearance_time = std::chrono::seconds(1);
    /// Longest pause while the socket cannot be watched, if a server was there recently.
    static constexpr nanoseconds polling_pause = std::chrono::milliseconds(250);
    static constexpr nanoseconds recent_time = std::chrono::minutes(1);
    /// A connection that lasted this long was successful.
    static constexpr nanoseconds lasting_time = std::chrono::seconds(1);

    struct Config {
        nanoseconds first_pause = std::chrono::milliseconds(50);
        nanoseconds longest_pause = std::chrono::seconds(2);
        std::uint32_t seed = 1; ///< of the random part of the pauses
    };
    explicit ConnectSchedule(const Config &config)
        : backoff_(config.first_pause, config.longest_pause, config.seed)
    {}

    [[nodiscard]] MonotonicTime next_attempt() const { return next_attempt_; }
    /// Makes the next attempt due immediately.
    void expedite() { next_attempt_ = {}; }

    /// `is_watching`: a server that appears will be reported by on_socket_appeared().
    void on_unreachable(MonotonicTime now, bool is_watching);
    void on_connected(MonotonicTime now);
    void on_closed(MonotonicTime now, bool was_turned_away);
    void on_socket_appeared(MonotonicTime now);

private:
    Backoff backoff_;
    MonotonicTime next_attempt_{};
    std::optional<MonotonicTime> appeared_;
    std::optional<MonotonicTime> connected_;
    std::optional<MonotonicTime> last_seen_; // the server, at the end of the last connection
};

} // namespace jkvm
