// SPDX-License-Identifier: LGPL-2.1-or-later
// The policy that follows the machine's load: a size in frames from processor, memory and latency.
#pragma once

#include "core/playout/steering.h"
#include "core/playout/system_load.h"

#include <cstdint>
#include <optional>

namespace jkvm {

/// Defaults are those of the original.
struct WeightedConfig {
    double min_frames = 3;
    double max_frames = 20;
    double start_frames = 6;

    /// Below `low` a factor is 1, above `high` it is -1, and between them linear.
    struct Input {
        double low;
        double high;
        double weight;
    };
    Input cpu{20, 60, 0.5};     ///< percent
    Input memory{50, 75, 0.3};  ///< percent
    Input latency{20, 50, 0.2}; ///< milliseconds

    nanoseconds interval = std::chrono::milliseconds(500);
    double smoothing = 0.3; ///< what part of the way to the target one step goes

    /// The original rounds the size after each step and forgets a step of less than half a frame,
    /// so it gets stuck on the way.
    bool fractional_size = false;
    /// The original's latency is that of the way to the queue; this takes the time that frames
    /// stand in the queue, which is what the size decides.
    bool queue_latency = false;
};

/// 1 for less than `low`, -1 for more than `high`.
double weighted_factor(double value, const WeightedConfig::Input &input);

/// The size alone, one step after the other.
class WeightedSize {
public:
    explicit WeightedSize(const WeightedConfig &config) : frames_(config.start_frames) {}
    /// `factor`: the weighted sum, -1 .. 1. True if the size changed.
    bool step(double factor, const WeightedConfig &config);
    [[nodiscard]] double frames() const { return frames_; }

private:
    double frames_;
};

class WeightedPolicy final : public DelayPolicy {
public:
    /// `load` is borrowed.
    WeightedPolicy(const WeightedConfig &config, SystemLoad &load);
    void configure(const WeightedConfig &config) { config_ = config; }

    /// What the last step was made from.
    struct Inputs {
        double cpu_percent = 0;
        double memory_percent = 0;
        double latency_ms = 0;
        double cpu_factor = 0;
        double memory_factor = 0;
        double latency_factor = 0;
        double factor = 0;      ///< the weighted sum
        double size_frames = 0; ///< what came of it
        std::uint64_t size_changes = 0;
    };
    [[nodiscard]] const Inputs &inputs() const { return inputs_; }

    void reset() override;
    void observe(const TransitSample &sample) override;
    [[nodiscard]] nanoseconds start_delay() const override;
    nanoseconds wanted_change(const Slot &slot) override;
    double cost(nanoseconds offset) override;
    nanoseconds target() override;

private:
    void add_latency(nanoseconds latency);
    void step();

    WeightedConfig config_;
    SystemLoad *load_;
    WeightedSize size_;
    Steering steering_;
    Inputs inputs_;
    nanoseconds latency_{0}; // running average; 0 is "nothing measured yet", as in the original
    nanoseconds least_transit_{0};
    nanoseconds frame_duration_{std::chrono::milliseconds(20)};
    std::optional<nanoseconds> last_step_;
};

} // namespace jkvm
