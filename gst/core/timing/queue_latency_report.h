// SPDX-License-Identifier: LGPL-2.1-or-later
// Derives the latency that a queue reports to the pipeline from its varying delay.
#pragma once

#include "core/base/time.h"

#include <optional>

namespace jkvm {

/// Every sink of the pipeline adjusts to a change of the reported latency, which is audible. So the
/// latency changes in steps: it rises once the delay has grown, which was audible anyway, and falls
/// when much less was sufficient for a minute. Thread-bound.
class QueueLatencyReport {
public:
    static constexpr nanoseconds step = std::chrono::milliseconds(20);
    static constexpr nanoseconds minimum_fall = std::chrono::milliseconds(40);
    static constexpr nanoseconds calm_before_fall = std::chrono::seconds(60);
    static constexpr nanoseconds minimum_interval = std::chrono::seconds(10);

    void reset(nanoseconds needed);
    /// `needed`: latency that is sufficient at `now`. Returns whether the reported value changed.
    bool update(nanoseconds needed, nanoseconds now);
    [[nodiscard]] nanoseconds value() const { return value_; }

private:
    nanoseconds value_{0};
    std::optional<nanoseconds> last_change_;
    std::optional<nanoseconds> calm_since_; // since then a lower value was sufficient
    nanoseconds maximum_needed_{0};         // since then
};

} // namespace jkvm
