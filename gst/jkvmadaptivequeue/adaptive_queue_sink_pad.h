// SPDX-License-Identifier: LGPL-2.1-or-later
// The sink pad of jkvmadaptivequeue: queues buffers, serialized events and queries from upstream.
#pragma once

#include "adaptive_queue_src_pad.h"
#include "queue_state.h"
#include "quiet_packet_detector.h"

namespace jkvm {

/// Called by the upstream streaming thread; events and queries that are not serialized, by any
/// thread.
class AdaptiveQueueSinkPad {
public:
    /// Both are borrowed and outlive this object.
    AdaptiveQueueSinkPad(QueueContext &context, AdaptiveQueueSrcPad &src_pad)
        : context_(context), src_pad_(src_pad)
    {}

    /// Prepares for another session: READY to PAUSED.
    void open() { quiet_packets_.reset(); }
    GstFlowReturn on_buffer(GstRef<GstBuffer> buffer);
    /// Queues a serialized event and forwards any other. Returns false if the event was refused.
    bool on_event(GstRef<GstEvent> event);
    /// Blocks until a serialized query was answered in its place; answers any other at once.
    bool on_query(GstQuery *query);

private:
    bool queue_event(GstRef<GstEvent> event);
    bool queue_query(GstQuery *query);
    void start_flush();
    /// `resets_time`: the pipeline's running time restarts at 0.
    void stop_flush(bool resets_time);
    /// Whether a packet with audio is quiet, if that matters at present. Releases the lock.
    bool is_quiet(QueueAccess &state, GstBuffer *packet, nanoseconds duration);
    void emit_overrun(QueueAccess &state);
    void log_refused(GstBuffer *buffer) const;
    static void apply(QueueState &state, GstEvent *event);

    QueueContext &context_;
    AdaptiveQueueSrcPad &src_pad_;
    QuietPacketDetector quiet_packets_; // upstream streaming thread
};

} // namespace jkvm
