// SPDX-License-Identifier: LGPL-2.1-or-later
// The property `priority` of elements that have a streaming thread.
#pragma once

#include "common/property_table.h"
#include "core/base/thread_priority.h"

#include <atomic>

namespace jkvm {

/// Raises the priority of an element's streaming thread when it starts and restores it when it
/// ends. The element passes each of its messages to on_message() before the base class posts it:
/// the thread itself posts that it starts and ends.
class StreamPriority {
public:
    /// `pad`: the pad whose task is the streaming thread. `requested`: SCHED_FIFO priority, 0
    /// for none.
    void on_message(GstMessage *message, GstPad *pad, int requested);
    /// Returns the scheduling that was granted to the running thread. Any thread.
    [[nodiscard]] ThreadPriority::Granted granted() const { return granted_; }

private:
    ThreadPriority thread_; // used by the streaming thread only
    std::atomic<ThreadPriority::Granted> granted_{ThreadPriority::Granted::normal};
};

/// Default of the property: that of JetKVM's audio threads.
inline constexpr int default_priority = 80;

/// Returns the property priority, stored in a member of Owner.
template <typename Owner>
PropertyRow<Owner> priority_row(int Owner::*member)
{
    return row("priority", "Priority",
               "SCHED_FIFO priority requested for the thread that handles the audio. Without "
               "permission a nice value of -10 is requested instead. 0 = the default scheduling",
               between(0, 99), mutable_ready, member);
}

} // namespace jkvm
