// SPDX-License-Identifier: LGPL-2.1-or-later
// Playout policy that weighs the delay against the probability of late frames.
#pragma once

#include "core/playout/delay_policy.h"
#include "core/playout/transit_distribution.h"

#include <optional>

namespace jkvm {

struct TailCostConfig {
    /// Delay (ms) that costs as much as every frame being late; one late frame in a thousand costs
    /// a thousandth of it.
    double late_cost = 15000;
};

/// Explained in docs/internals/adaptive.md. It never conceals to raise the delay; the delay grows
/// in underruns only, which are concealed anyway. It drops a frame when the reduced delay over the
/// coming seconds is worth more than the frame.
class TailCostPolicy final : public DelayPolicy {
public:
    explicit TailCostPolicy(const TailCostConfig &config) : config_(config) {}
    void configure(const TailCostConfig &config);

    void reset() override;
    void observe(const TransitSample &sample) override;
    [[nodiscard]] nanoseconds start_delay() const override { return std::chrono::milliseconds(5); }
    nanoseconds request_change(const Slot &slot) override;
    [[nodiscard]] bool is_drop_considered() const override { return is_drop_considered_; }
    double cost(nanoseconds offset) override;
    nanoseconds target() override;

    /// Returns how long to conceal before checking again for a frame that is late at `offset`: the
    /// smallest multiple of `step` within which half of such frames arrive, at most `maximum`.
    nanoseconds conceal_step(nanoseconds offset, nanoseconds step, nanoseconds maximum);

private:
    /// Probability of a transit above `offset`.
    [[nodiscard]] double tail_at(nanoseconds offset) const;
    void refresh();
    /// Cost of the bin's lower edge.
    [[nodiscard]] double cost_of(std::size_t bin) const;

    TailCostConfig config_;
    TransitDistribution transits_;
    std::array<double, TransitDistribution::bins> tail_{};
    bool is_tail_stale_ = true; // tail_ lacks the latest transits
    std::optional<nanoseconds> last_check_;
    bool has_just_dropped_ = false;
    bool is_drop_considered_ = false;
};

} // namespace jkvm
