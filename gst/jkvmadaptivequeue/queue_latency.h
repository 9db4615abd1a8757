// SPDX-License-Identifier: LGPL-2.1-or-later
// What the queue reports to the pipeline as its latency where the timestamps stay as they are.
#pragma once

#include "core/base/time.h"

#include <optional>

namespace jkvm {

/// Every new latency is heard: the sinks move. So it changes in steps; it rises when the delay
/// already has, and falls when much less would have been enough for long. Thread-bound.
class QueueLatency {
public:
    static constexpr nanoseconds step = std::chrono::milliseconds(20);
    static constexpr nanoseconds least_fall = std::chrono::milliseconds(40);
    static constexpr nanoseconds calm_before_fall = std::chrono::seconds(60);
    static constexpr nanoseconds least_interval = std::chrono::seconds(10);

    void reset(nanoseconds needed);
    /// `needed`: what would be enough at `now`. True when the latency has changed.
    bool update(nanoseconds needed, nanoseconds now);
    [[nodiscard]] nanoseconds value() const { return value_; }

private:
    nanoseconds value_{0};
    std::optional<nanoseconds> last_change_;
    std::optional<nanoseconds> calm_since_; // so long less would have done
    nanoseconds most_needed_{0};            // since then
};

} // namespace jkvm
