// SPDX-License-Identifier: LGPL-2.1-or-later
// Sends a worker's heartbeats for as long as its pipeline works.
#pragma once

#include "common/gst_ref.h"
#include "core/base/time.h"

#include <atomic>

namespace jkvm {

/// Sends a limited number of heartbeats a second: a byte into the supervisor's pipe and, with
/// systemd, a notification of its watchdog. They stop when the observed stream stops or a streaming
/// thread is blocked, on a deadlock, and when the process is stopped. Must outlive the pads and the
/// pipeline that it observes.
class PipelineHeartbeat {
public:
    /// `fd`: the writing end of the pipe; -1 = none. `interval`: minimum time between two
    /// heartbeats.
    PipelineHeartbeat(int fd, std::chrono::milliseconds interval) : fd_(fd), interval_(interval) {}
    PipelineHeartbeat(const PipelineHeartbeat &) = delete;
    PipelineHeartbeat &operator=(const PipelineHeartbeat &) = delete;
    ~PipelineHeartbeat();

    /// Sends a heartbeat when a buffer or GAP event passes the pad, which must have a continuous
    /// stream.
    void follow_stream(GstPad *pad);
    /// Sends heartbeats as long as the pushes of all streaming threads in the pipeline return. For
    /// a pipeline whose stream may pause; at most one. Must be called on the main loop's thread.
    void follow_threads(GstBin *pipeline);

private:
    void probe_threads();
    void probe_if_driven(GstPad *pad);
    void on_answer();
    void send(); // any thread

    int fd_;
    std::chrono::milliseconds interval_;
    std::atomic<MonotonicTime> last_{MonotonicTime{}};
    std::atomic<bool> is_first_{true};
    GstBin *pipeline_ = nullptr;
    std::atomic<int> pending_{0}; // idle probes that were not answered yet
    guint timer_ = 0;
};

} // namespace jkvm
