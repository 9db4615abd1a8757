// SPDX-License-Identifier: LGPL-2.1-or-later
// The element's running time, and an interruptible wait on the pipeline's clock.
#pragma once

#include "common/gst_ref.h"
#include "core/base/time.h"

#include <condition_variable>

namespace jkvm {

/// Part of the data in a Guarded<>: all members are called with its mutex held, and the waits
/// release it meanwhile through the caller's Access. Only one thread waits.
class StreamClock {
public:
    /// `element` is borrowed and outlives this object.
    explicit StreamClock(GstElement *element) : element_(element) {}
    StreamClock(const StreamClock &) = delete;
    StreamClock &operator=(const StreamClock &) = delete;
    ~StreamClock();

    /// To be called when the element enters and leaves PLAYING. Time advances only in between.
    void start();
    void stop();
    [[nodiscard]] bool is_running() const { return is_running_; }
    /// Running time restarts at 0, after a flush or in another session.
    void reset() { now_ = nanoseconds(0); }

    /// Monotonic between two calls of reset().
    nanoseconds now();

    /// Blocks until wake() is called.
    template <typename Access>
    void wait(Access &access)
    {
        access.wait(woken_);
    }
    /// Blocks until that running time or until wake() is called.
    template <typename Access>
    void wait_until(nanoseconds time, Access &access)
    {
        auto *const id = schedule(time);
        is_waiting_ = true;
        // An id that was unscheduled in between returns immediately.
        access.unlocked([id] { gst_clock_id_wait(id, nullptr); });
        is_waiting_ = false;
    }
    void wake();

private:
    GstClockID schedule(nanoseconds time);

    GstElement *element_;
    bool is_running_ = false;
    nanoseconds now_{0};
    GstClockID id_ = nullptr;   // reused by all waits, so that none allocates
    GstRef<GstClock> id_clock_; // clock of that id
    bool is_waiting_ = false;   // on that id
    std::condition_variable woken_;
};

} // namespace jkvm
