// SPDX-License-Identifier: LGPL-2.1-or-later
// The heartbeats of a worker: what they prove is that its pipeline works.
#pragma once

#include "common/gst_ref.h"
#include "core/base/time.h"

#include <atomic>

namespace jkvm {

/// Beats at most ten times a second: a byte to the supervisor's pipe, and a word to systemd's
/// watchdog where there is one. A blocked streaming thread, a deadlock or a process that does not
/// run make it stop. Must outlive the pads that it is given.
class Heart {
public:
    /// `fd`: of the pipe; -1 = none.
    explicit Heart(int fd) : fd_(fd) {}
    Heart(const Heart &) = delete;
    Heart &operator=(const Heart &) = delete;
    ~Heart();

    /// Beats when sound or a GAP event comes by: for a pad where one of them always flows.
    void beat_with_flow(GstPad *pad);
    /// Beats all the time, unless a push from this pad does not come back: for a pad that may have
    /// nothing to push. One pad at most; from the main loop's thread.
    void beat_while_free(GstPad *pad);

private:
    void ask_free_pad();
    void beat(); // any thread

    int fd_;
    std::atomic<MonotonicTime> last_{MonotonicTime{}};
    std::atomic<bool> is_first_{true};
    GstRef<GstPad> free_pad_;
    std::atomic<bool> is_asked_{false}; // the free pad, which has not answered yet
    guint timer_ = 0;
};

} // namespace jkvm
