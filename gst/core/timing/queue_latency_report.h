// SPDX-License-Identifier: LGPL-2.1-or-later
// The latency that a queue tells the pipeline, made from a delay that changes.
#pragma once

#include "core/base/time.h"

#include <optional>

namespace jkvm {

/// A change of the reported latency makes every sink of the pipeline adjust, which can be heard. So
/// it comes in steps: up when the delay has grown already, which was heard anyway, and down when
/// much less would have been enough for a minute. Thread-bound.
class QueueLatencyReport {
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
