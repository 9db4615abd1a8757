// SPDX-License-Identifier: LGPL-2.1-or-later
// Playout policy that keeps a constant delay above the minimum transit.
#pragma once

#include "core/playout/frame_stepper.h"

namespace jkvm {

struct FixedDelayConfig {
    nanoseconds delay = std::chrono::milliseconds(80); ///< above the minimum transit
};

class FixedDelayPolicy final : public DelayPolicy {
public:
    explicit FixedDelayPolicy(const FixedDelayConfig &config) : config_(config) {}
    void configure(const FixedDelayConfig &config) { config_ = config; }

    void reset() override;
    void observe(const TransitSample &sample) override { minimum_transit_ = sample.minimum; }
    [[nodiscard]] nanoseconds start_delay() const override { return config_.delay; }
    nanoseconds request_change(const Slot &slot) override;
    double cost(nanoseconds offset) override;
    nanoseconds target() override { return minimum_transit_ + config_.delay; }

private:
    FixedDelayConfig config_;
    FrameStepper stepper_;
    nanoseconds minimum_transit_{0};
};

} // namespace jkvm
