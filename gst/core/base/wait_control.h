// SPDX-License-Identifier: LGPL-2.1-or-later
// Lets other threads interrupt a streaming thread that waits for data.
#pragma once

#include "core/base/guarded.h"
#include "core/base/time.h"
#include "core/base/wake_event.h"

#include <atomic>

namespace jkvm {

/// Collects requests of other threads for one streaming thread. That thread polls fd() together
/// with its own descriptor and checks is_set() before it reads data that is already available. On a
/// request it calls take_restart() and take_wake_up(), and returns if is_interrupted().
class WaitControl {
public:
    /// Any thread: ends the current wait and every later one until resume().
    void interrupt() { set(&Requests::interrupt, true); }
    void resume() { set(&Requests::interrupt, false); }
    /// Any thread: requests that pending data be discarded as outdated. Pending until taken.
    void request_restart() { set(&Requests::restart, true); }
    /// Any thread: requests that the streaming thread check its state. Pending until taken.
    void request_wake_up() { set(&Requests::wake_up, true); }

    /// Streaming thread: returns whether a restart was requested, and clears the request.
    [[nodiscard]] bool take_restart() { return set(&Requests::restart, false); }
    /// Streaming thread: returns whether a wake-up was requested, and clears the request.
    [[nodiscard]] bool take_wake_up() { return set(&Requests::wake_up, false); }
    /// Streaming thread: returns whether any request is pending. No system call.
    [[nodiscard]] bool is_set() const { return is_set_; }
    /// Streaming thread: returns whether interrupt() was called after the last resume(). Unlike
    /// is_set(), a request that arrives after the others were taken does not change it.
    [[nodiscard]] bool is_interrupted() const { return requests_.snapshot().interrupt; }
    [[nodiscard]] int fd() const { return event_.fd(); }
    /// Streaming thread: sleeps until `time`, a request or a signal. Returns whether a request is
    /// pending.
    bool sleep_until(MonotonicTime time) const;

private:
    struct Requests {
        bool interrupt = false;
        bool restart = false;
        bool wake_up = false;
    };
    /// Updates one request, and is_set() and fd() accordingly. Returns the request's previous
    /// state.
    bool set(bool Requests::*request, bool is_pending);

    Guarded<Requests> requests_; // its lock guards changes of the two below
    std::atomic<bool> is_set_{false};
    WakeEvent event_;
};

} // namespace jkvm
