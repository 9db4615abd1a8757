// SPDX-License-Identifier: LGPL-2.1-or-later
// The source pad of jkvmadaptivequeue: its task pushes due buffers, gaps and events.
#pragma once

#include "queue_reports.h"
#include "queue_state.h"

namespace jkvm {

class AdaptiveQueueSrcPad {
public:
    /// `context` is borrowed and outlives this object.
    explicit AdaptiveQueueSrcPad(QueueContext &context);

    void activate(bool is_active);
    void start_task();
    /// Handles an event or a query from downstream.
    bool on_event(GstEvent *event);
    bool on_query(GstQuery *query);
    void post_latency() const { reports_.post_latency(); }

private:
    /// Downstream may have been linked again.
    void on_reconfigure();
    /// The pipeline's latency was configured.
    void on_latency(GstEvent *event);
    // Functions of the task. Those with a parameter `state` may release the lock temporarily.
    void run();
    void step(QueueAccess &state, PendingSignals &pending);
    void end_task(QueueAccess &state);
    void wait_for_arrival(QueueAccess &state);
    void query_sink(QueueAccess &state);
    void pass_item(QueueAccess &state);
    void pass_event(QueueAccess &state, GstRef<GstEvent> event);
    void pass_gap(QueueAccess &state);
    void pass_query(QueueAccess &state, GstQuery *query) const;
    void act(QueueAccess &state, const Playout::Action &action, nanoseconds now,
             PendingSignals &pending);
    void play(QueueAccess &state, const Playout::Play &play, nanoseconds now,
              PendingSignals &pending);
    void conceal(QueueAccess &state, const Playout::Conceal &conceal, PendingSignals &pending);
    void push_gap(QueueAccess &state, const std::optional<OutputTimeline::Gap> &gap);
    void push_event(QueueAccess &state, GstRef<GstEvent> event) const;
    // These must be called without the lock.
    void push_eos(GstFlowReturn flow) const;
    GstFlowReturn push_buffer(GstBuffer *buffer) const;
    void push_request(GstRef<GstEvent> request);

    QueueContext &context_;
    QueueReports reports_;
    bool follows_load_ = false; // the policy, of the machine; used by the task
};

} // namespace jkvm
