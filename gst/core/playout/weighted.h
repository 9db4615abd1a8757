// SPDX-License-Identifier: LGPL-2.1-or-later
// Playout policy of the JetKVM audio system: a size in frames, computed from processor load, memory
// and latency.
#pragma once

#include "core/playout/frame_stepper.h"
#include "core/playout/system_load.h"

#include <cstdint>
#include <optional>

namespace jkvm {

/// The defaults are JetKVM's.
struct WeightedConfig {
    double min_frames = 3;
    double max_frames = 20;
    double start_frames = 6;

    /// The factor is 1 below `low`, -1 above `high` and linear in between.
    struct Input {
        double low;
        double high;
        double weight;
    };
    Input cpu{20, 60, 0.5};     ///< percent
    Input memory{50, 75, 0.3};  ///< percent
    Input latency{20, 50, 0.2}; ///< milliseconds

    nanoseconds interval = std::chrono::milliseconds(500);
    double smoothing = 0.3; ///< share of the distance to the target that one step covers

    /// Keeps the fraction of the size. JetKVM rounds it after each step and ignores steps of less
    /// than half a frame, so that the size stops short of its target.
    bool fractional_size = false;
    /// Uses the time that frames spend in the queue, which the size controls, as the latency.
    /// JetKVM uses the latency of the path to the queue.
    bool queue_latency = false;
};

/// Factor of one input: 1 below `low`, -1 above `high`.
double weighted_factor(double value, const WeightedConfig::Input &input);

/// The sequence of sizes, without the timing.
class WeightedSize {
public:
    explicit WeightedSize(const WeightedConfig &config) : frames_(config.start_frames) {}
    /// `factor`: weighted sum of the inputs' factors, -1 to 1. Returns whether the size changed.
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

    /// Inputs and result of the last step.
    struct Inputs {
        double cpu_percent = 0;
        double memory_percent = 0;
        double latency_ms = 0;
        double cpu_factor = 0;
        double memory_factor = 0;
        double latency_factor = 0;
        double factor = 0;      ///< weighted sum of the three
        double size_frames = 0; ///< size after the step
        std::uint64_t size_changes = 0;
    };
    [[nodiscard]] const Inputs &inputs() const { return inputs_; }

    void reset() override;
    void observe(const TransitSample &sample) override;
    [[nodiscard]] nanoseconds start_delay() const override;
    void on_slot(const Slot &slot) override;
    nanoseconds request_change(const Slot &slot) override;
    double cost(nanoseconds offset) override;
    nanoseconds target() override;

private:
    void add_latency(nanoseconds latency);
    void step();

    WeightedConfig config_;
    SystemLoad *load_;
    WeightedSize size_;
    FrameStepper stepper_;
    Inputs inputs_;
    nanoseconds latency_{0}; // running average; 0 means not yet measured, as in JetKVM
    nanoseconds minimum_transit_{0};
    nanoseconds frame_duration_{std::chrono::milliseconds(20)};
    std::optional<nanoseconds> last_step_;
};

} // namespace jkvm
