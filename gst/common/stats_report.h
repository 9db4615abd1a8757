// SPDX-License-Identifier: LGPL-2.1-or-later
// Reports an element's statistics at intervals: as an INFO line and an element message.
#pragma once

#include "common/property_table.h"
#include "core/base/time.h"

namespace jkvm {

/// Belongs to the streaming thread. The element has the property stats-interval and checks for each
/// frame:
///
///     if (report_.is_due(interval, monotonic_now()))
///         report_.post(stats());
class StatsReport {
public:
    static constexpr nanoseconds default_interval = std::chrono::seconds(5);

    /// `category`: debug category of the INFO line.
    StatsReport(GstElement *element, GstDebugCategory *category)
        : element_(element), category_(category)
    {}

    /// Returns true at the first call and then once per interval; never if the interval is 0.
    [[nodiscard]] bool is_due(nanoseconds interval, MonotonicTime now);
    /// Logs and posts the structure, and takes it over. Must be called without a lock, because a
    /// sync handler may call back into the element.
    void post(GstStructure *stats) const;

private:
    GstElement *element_;
    GstDebugCategory *category_;
    MonotonicTime next_{};
};

/// Returns the property stats-interval, stored in a member of Owner.
template <typename Owner>
PropertyRow<Owner> stats_interval_row(nanoseconds Owner::*member)
{
    using namespace std::chrono_literals;
    return row(
        "stats-interval", "Statistics interval",
        "Interval at which the statistics are logged (INFO) and posted as an element message "
        "while buffers flow (ms); 0 = never",
        between(0ms, 1h), mutable_playing, member);
}

} // namespace jkvm
