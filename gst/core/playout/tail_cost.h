// SPDX-License-Identifier: LGPL-2.1-or-later
// The policy that weighs delay against the probability of being late.
#pragma once

#include "core/playout/delay_policy.h"
#include "core/playout/transit_distribution.h"

#include <optional>

namespace jkvm {

struct TailCostConfig {
    /// Milliseconds of delay that are worth as much as every frame being late; one frame of a
    /// thousand costs a thousandth of it.
    double late_cost = 15000;
};

/// docs/internals/adaptive.md explains it. It never conceals to raise the delay: that happens only
/// where an underrun conceals anyway. It drops a frame when, over the coming seconds, less delay is
/// worth more than the frame.
class TailCostPolicy final : public DelayPolicy {
public:
    explicit TailCostPolicy(const TailCostConfig &config) : config_(config) {}
    void configure(const TailCostConfig &config);

    void reset() override;
    void observe(const TransitSample &sample) override;
    [[nodiscard]] nanoseconds start_delay() const override { return std::chrono::milliseconds(5); }
    nanoseconds wanted_change(const Slot &slot) override;
    double cost(nanoseconds offset) override;
    nanoseconds target() override;

private:
    void refresh();
    /// Of a bin's lower edge.
    [[nodiscard]] double cost_of(std::size_t bin) const;

    TailCostConfig config_;
    TransitDistribution transits_;
    std::array<double, TransitDistribution::bins> tail_{};
    bool stale_ = true; // tail_ lacks the latest transits
    std::optional<nanoseconds> last_check_;
    bool just_dropped_ = false;
};

} // namespace jkvm
