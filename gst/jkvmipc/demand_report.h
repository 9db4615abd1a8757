// SPDX-License-Identifier: LGPL-2.1-or-later
// Counts the listeners of jkvmipcsink and reports their number upstream as the event jkvm-demand.
#pragma once

#include "core/base/guarded.h"

#include <gst/base/gstbasesink.h>

#include <set>

namespace jkvm {

/// Thread-safe. Its functions push an event, so they must be called without a lock.
class DemandReport {
public:
    explicit DemandReport(GstBaseSink *sink) : sink_(sink) {}

    /// Forgets all listeners, at the start of a session.
    void reset() { listeners_.lock()->clear(); }
    void on_added(guint64 id);
    /// Nothing is reported for a client that was turned away.
    void on_removed(guint64 id);
    /// Reports the number to elements that may not know it: they were linked after the last report.
    void repeat();
    [[nodiscard]] guint listeners() const { return static_cast<guint>(listeners_.lock()->size()); }

private:
    GstBaseSink *sink_;
    Guarded<std::set<guint64>> listeners_; // their ids
};

} // namespace jkvm
