// SPDX-License-Identifier: LGPL-2.1-or-later
// Reports the work of jkvmadaptivequeue: signals, element messages and log lines.
#pragma once

#include "common/element_message.h"
#include "common/stats_report.h"
#include "queue_state.h"

namespace jkvm {

/// Signals and messages to send once the lock is released.
struct PendingSignals {
    bool underrun = false;
    bool running = false;
    bool latency = false;
    bool stats = false;
    const char *depth = nullptr; ///< reason of a message jkvm-depth
    std::optional<Playout::Drop> drop;
    std::optional<LossReport::Losses> losses;
    std::optional<LatencyWatch::Change> latency_change;
};

/// Belongs to the task of the source pad.
class QueueReports {
public:
    /// `context` is borrowed and outlives this object.
    explicit QueueReports(QueueContext &context);

    /// A frame is to be pushed.
    void on_play(QueueState &state, const Playout::Play &play, nanoseconds now,
                 PendingSignals &pending);
    // These must be called without the lock.
    void send(const PendingSignals &pending);
    void log_concealment(const Playout::Conceal &conceal) const;
    void log_sink(bool follows_timestamps) const;
    void post_latency() const;

private:
    static nanoseconds take_change(QueueState &state, const Playout::Play &play);

    QueueContext &context_;
    ElementMessages depth_messages_;
    LatencyMessages latency_messages_;
    StatsReport stats_report_;
};

/// Logs dropped frames, and warns of `losses`. Must be called without a lock.
void log_losses(GstElement *element, std::size_t overflow,
                const std::optional<LossReport::Losses> &losses);

} // namespace jkvm
