// SPDX-License-Identifier: LGPL-2.1-or-later
// The policy that keeps one delay.
#pragma once

#include "core/playout/steering.h"

namespace jkvm {

struct FixedDelayConfig {
    nanoseconds delay = std::chrono::milliseconds(80); ///< above the least transit
};

class FixedDelayPolicy final : public DelayPolicy {
public:
    explicit FixedDelayPolicy(const FixedDelayConfig &config) : config_(config) {}
    void configure(const FixedDelayConfig &config) { config_ = config; }

    void reset() override;
    void observe(const TransitSample &sample) override { least_transit_ = sample.minimum; }
    [[nodiscard]] nanoseconds start_delay() const override { return config_.delay; }
    nanoseconds wanted_change(const Slot &slot) override;
    double cost(nanoseconds offset) override;
    nanoseconds target() override { return least_transit_ + config_.delay; }

private:
    FixedDelayConfig config_;
    Steering steering_;
    nanoseconds least_transit_{0};
};

} // namespace jkvm
