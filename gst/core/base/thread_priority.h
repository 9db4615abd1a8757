// SPDX-License-Identifier: LGPL-2.1-or-later
// A thread's priority: asked for, never required, and undone.
#pragma once

namespace jkvm {

/// Thread-bound: raises and restores the thread that calls it.
class ThreadPriority {
public:
    enum class Granted {
        normal,   ///< nothing
        nice,     ///< a nice value below 0
        realtime, ///< SCHED_FIFO
    };

    /// SCHED_FIFO at `priority` (1..99), else nice -10. Threads and processes that this thread
    /// starts do not inherit it.
    Granted raise(int priority);
    /// As it was before raise().
    void restore();

private:
    Granted granted_ = Granted::normal;
    int policy_ = 0; // as it was
    int priority_ = 0;
    int nice_ = 0;
};

const char *name_of(ThreadPriority::Granted granted);

} // namespace jkvm
