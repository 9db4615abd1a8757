// SPDX-License-Identifier: LGPL-2.1-or-later
// An element's statistics, told now and then: one INFO line and one element message.
#pragma once

#include "common/property_table.h"
#include "core/base/time.h"

namespace jkvm {

/// Belongs to the streaming thread. An element has the property, keeps its value, and asks with
/// each frame:
///
///     if (report_.is_due(interval, monotonic_now()))
///         report_.post(stats());
class StatsReport {
public:
    static constexpr nanoseconds default_interval = std::chrono::seconds(5);

    /// For elements without a PropertyTable.
    static GParamSpec *property();

    /// `category`: of the INFO line.
    StatsReport(GstElement *element, GstDebugCategory *category)
        : element_(element), category_(category)
    {}

    /// At the first call, and then once an interval; never when that is 0.
    [[nodiscard]] bool is_due(nanoseconds interval, MonotonicTime now);
    /// Takes the structure over. Must be called with no lock held: the application may answer in a
    /// sync handler.
    void post(GstStructure *stats) const;

private:
    GstElement *element_;
    GstDebugCategory *category_;
    MonotonicTime next_{};
};

/// The property stats-interval, stored in a member of Owner.
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
