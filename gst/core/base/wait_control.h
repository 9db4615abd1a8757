// SPDX-License-Identifier: LGPL-2.1-or-later
// What other threads may want of a streaming thread that waits for sound.
#pragma once

#include "core/base/guarded.h"
#include "core/base/time.h"
#include "core/base/wake_event.h"

#include <atomic>

namespace jkvm {

/// The streaming thread polls fd() beside what it waits for, and looks at is_set() before it takes
/// what is there already. When one of them says so it asks take_restart() and take_wake_up(); if
/// there is neither, it has to return.
class WaitControl {
public:
    /// Any thread: the wait has to end, and every later one, until resume().
    void interrupt();
    void resume();
    /// Any thread: what is there by now is old, begin anew. Stays asked for until it is taken.
    void ask_restart();
    /// Any thread: something was left for the streaming thread to do. Stays until it is taken.
    void request_wake_up();

    /// Streaming thread: whether a restart was asked for; it is then no longer.
    [[nodiscard]] bool take_restart();
    /// Streaming thread: whether there was something to do.
    [[nodiscard]] bool take_wake_up();
    /// Streaming thread: whether anything is wanted. Costs nothing.
    [[nodiscard]] bool is_set() const { return is_set_; }
    [[nodiscard]] int fd() const { return event_.fd(); }
    /// Streaming thread: sleeps until then, or until anything is wanted, or a signal came. Whether
    /// anything is wanted.
    bool sleep_until(MonotonicTime time) const;

private:
    struct Wanted {
        bool end = false;
        bool restart = false;
        bool wake_up = false;
    };
    void announce(const Wanted &wanted);

    Guarded<Wanted> wanted_; // the two below change under its lock
    std::atomic<bool> is_set_{false};
    WakeEvent event_;
};

} // namespace jkvm
