// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/playout/weighted.h"

#include <algorithm>
#include <cmath>

namespace jkvm {

double weighted_factor(double value, const WeightedConfig::Input &input)
{
    if (value > input.high)
        return -1;
    if (value < input.low)
        return 1;
    if (input.low >= input.high)
        return 0;
    const auto middle = (input.low + input.high) / 2;
    return (middle - value) / (middle - input.low);
}

bool WeightedSize::step(double factor, const WeightedConfig &config)
{
    // The two properties are set one after the other, so minimum may exceed maximum meanwhile.
    const auto maximum = std::max(config.min_frames, config.max_frames);
    const auto target = factor > 0 ? frames_ + factor * (maximum - frames_)
                                   : frames_ + factor * (frames_ - config.min_frames);
    const auto next =
        std::clamp(frames_ + config.smoothing * (target - frames_), config.min_frames, maximum);
    const auto before = frames_;
    if (config.fractional_size)
        frames_ = next;
    else if (std::abs(next - frames_) >= 0.5)
        frames_ = std::round(next); // half away from zero
    return frames_ != before;
}

WeightedPolicy::WeightedPolicy(const WeightedConfig &config, SystemLoad &load)
    : config_(config), load_(&load), size_(config)
{
    inputs_.size_frames = size_.frames();
}

void WeightedPolicy::reset()
{
    *this = WeightedPolicy(config_, *load_);
}

nanoseconds WeightedPolicy::start_delay() const
{
    return nanoseconds(std::llround(size_.frames() * static_cast<double>(frame_duration_.count())));
}

nanoseconds WeightedPolicy::target()
{
    return minimum_transit_ + start_delay();
}

void WeightedPolicy::observe(const TransitSample &sample)
{
    minimum_transit_ = sample.recent_minimum;
    frame_duration_ = sample.duration;
    if (!config_.queue_latency)
        add_latency(sample.transit);
}

void WeightedPolicy::add_latency(nanoseconds latency)
{
    latency_ = latency_ == nanoseconds(0) ? latency : (9 * latency_ + latency) / 10;
}

void WeightedPolicy::on_slot(const Slot &slot)
{
    if (config_.queue_latency)
        add_latency(slot.wait);
    if (!last_step_ || slot.time - *last_step_ >= config_.interval) {
        last_step_ = slot.time;
        step();
    }
}

nanoseconds WeightedPolicy::request_change(const Slot &slot)
{
    return stepper_.request_change(slot, target());
}

void WeightedPolicy::step()
{
    const auto load = load_->sample();
    if (!load || latency_ == nanoseconds(0))
        return;
    auto &in = inputs_;
    in.cpu_percent = load->cpu_percent;
    in.memory_percent = load->memory_percent;
    in.latency_ms = milliseconds_of(latency_);
    in.cpu_factor = weighted_factor(in.cpu_percent, config_.cpu);
    in.memory_factor = weighted_factor(in.memory_percent, config_.memory);
    in.latency_factor = weighted_factor(in.latency_ms, config_.latency);
    in.factor = config_.cpu.weight * in.cpu_factor + config_.memory.weight * in.memory_factor +
                config_.latency.weight * in.latency_factor;
    in.size_changes += size_.step(in.factor, config_) ? 1 : 0;
    in.size_frames = size_.frames();
}

double WeightedPolicy::cost(nanoseconds offset)
{
    return std::abs(milliseconds_of(offset - target()));
}

} // namespace jkvm
