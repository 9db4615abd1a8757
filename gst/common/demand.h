// SPDX-License-Identifier: LGPL-2.1-or-later
// The upstream event by which a sink reports its listeners, and the decision of a source whether
// anything listens to it.
#pragma once

#include "core/base/guarded.h"
#include "core/base/time.h"

#include <gst/gst.h>

#include <atomic>
#include <map>
#include <string>

namespace jkvm {

/// The name of the event's structure.
inline constexpr const char *demand_name = "jkvm-demand";

/// Makes a GST_EVENT_CUSTOM_UPSTREAM with the fields listeners (guint) and sink (gchararray, the
/// element's path). Of two events about one sink, the one that was made last counts.
GstEvent *make_demand(GstElement *sink, guint listeners);

[[nodiscard]] bool is_demand(GstEvent *event);

/// Collects the reports of the sinks downstream of a source pad.
class DownstreamDemand {
public:
    /// Forgets all reports. Must not be called while is_unheard() may be.
    void reset();
    /// Any thread: handles an event from downstream. Returns whether is_unheard() has to be called
    /// again because of it: a demand, or a change of the links. After the latter all sinks have to
    /// report again, because a report that was made while a sink was not linked is lost.
    bool on_event(GstEvent *event);
    /// Whether every data path from the pad ends in a sink that reports no listener. False whenever
    /// that is unknown: a sink has not reported, or there is an element that is not known to only
    /// pass data on. Cheap unless something has changed; to be called by one thread, and without a
    /// lock that an element downstream might need.
    [[nodiscard]] bool is_unheard(GstPad *source, MonotonicTime now);

private:
    struct Report {
        guint listeners;
        guint32 seqnum; ///< of the event
    };

    bool record(GstEvent *event);
    [[nodiscard]] bool may_be_unheard() const;

    Guarded<std::map<std::string, Report>> reports_; // by the path of the sink
    std::atomic<bool> has_changed_{true};            // since the last check
    MonotonicTime next_check_{};
    bool is_unheard_ = false; // at the last check
};

} // namespace jkvm
