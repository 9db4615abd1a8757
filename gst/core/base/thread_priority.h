// SPDX-License-Identifier: LGPL-2.1-or-later
// Raises a thread's priority as far as the system permits, and restores it.
#pragma once

namespace jkvm {

/// Applies to the calling thread; all calls must come from the same one.
class ThreadPriority {
public:
    enum class Granted {
        normal,   ///< no raised priority
        nice,     ///< a nice value below 0
        realtime, ///< SCHED_FIFO
    };

    /// Requests SCHED_FIFO at `priority` (1..99), falls back to nice -10, and returns what was
    /// granted. Threads and processes started by this thread do not inherit it.
    Granted raise(int priority);
    /// Restores the scheduling from before raise().
    void restore();

private:
    Granted granted_ = Granted::normal;
    // The scheduling before raise().
    int policy_ = 0;
    int priority_ = 0;
    int nice_ = 0;
};

/// Returns "normal", "nice" or "fifo".
const char *name_of(ThreadPriority::Granted granted);

} // namespace jkvm
