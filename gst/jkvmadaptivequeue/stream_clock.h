// SPDX-License-Identifier: LGPL-2.1-or-later
// The element's running time, and a wait for it that others can end.
#pragma once

#include "common/gst_ref.h"
#include "core/base/time.h"

#include <condition_variable>
#include <mutex>

namespace jkvm {

/// Everything is called under the owner's lock; the waits release it while they last. One thread
/// waits.
class StreamClock {
public:
    /// `element` is borrowed and outlives this.
    explicit StreamClock(GstElement *element) : element_(element) {}
    StreamClock(const StreamClock &) = delete;
    StreamClock &operator=(const StreamClock &) = delete;
    ~StreamClock();

    /// To PLAYING and back: between the two, time stands still.
    void start();
    void stop();
    [[nodiscard]] bool is_running() const { return is_running_; }
    /// Running time begins anew: after a flush, or in another run.
    void reset() { now_ = nanoseconds(0); }

    /// Never goes back but for reset().
    nanoseconds now();

    /// Until wake().
    void wait(std::unique_lock<std::mutex> &lock) { woken_.wait(lock); }
    /// Until that running time or wake(), whichever comes first.
    void wait_until(nanoseconds time, std::unique_lock<std::mutex> &lock);
    void wake();

private:
    GstElement *element_;
    bool is_running_ = false;
    nanoseconds now_{0};
    GstClockID wait_ = nullptr;   // the last one for a time; kept, so that none is made for each
    GstRef<GstClock> wait_clock_; // whose that is
    bool is_waiting_ = false;     // for it
    std::condition_variable woken_;
};

} // namespace jkvm
