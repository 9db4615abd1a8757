// SPDX-License-Identifier: LGPL-2.1-or-later
// Sends a worker's heartbeats for as long as its pipeline works.
#pragma once

#include "common/gst_ref.h"
#include "core/base/time.h"

#include <atomic>

namespace jkvm {

/// Sends at most ten heartbeats a second: a byte into the supervisor's pipe and, with systemd, a
/// notification of its watchdog. They stop when a streaming thread is blocked, on a deadlock, and
/// when the process does not run. Must outlive the pads and the pipeline that it observes.
class PipelineHeartbeat {
public:
    /// `fd`: the writing end of the pipe; -1 = none.
    explicit PipelineHeartbeat(int fd) : fd_(fd) {}
    PipelineHeartbeat(const PipelineHeartbeat &) = delete;
    PipelineHeartbeat &operator=(const PipelineHeartbeat &) = delete;
    ~PipelineHeartbeat();

    /// Sends a heartbeat for each buffer or GAP event at the pad. For a pad with a continuous
    /// stream.
    void follow_stream(GstPad *pad);
    /// Sends heartbeats unless a push from one of the pipeline's streaming threads does not return.
    /// For a pipeline whose stream may pause. Main loop's thread; at most one pipeline.
    void follow_threads(GstBin *pipeline);

private:
    void probe_threads();
    void probe_if_driven(GstPad *pad);
    void on_answer();
    void send(); // any thread

    int fd_;
    std::atomic<MonotonicTime> last_{MonotonicTime{}};
    std::atomic<bool> is_first_{true};
    GstBin *pipeline_ = nullptr;
    std::atomic<int> pending_{0}; // idle probes that were not answered yet
    guint timer_ = 0;
};

} // namespace jkvm
