// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/optimizer/optimizer.h"

#include <algorithm>
#include <array>
#include <span>

namespace jkvm {

namespace {

using namespace std::chrono_literals;

/// Weight of the trend in tenths.
std::int64_t weight(LatencyTrend trend)
{
    switch (trend) {
    case LatencyTrend::increasing:
        return 12;
    case LatencyTrend::decreasing:
        return 8;
    case LatencyTrend::unsteady:
        return 11;
    case LatencyTrend::stable:
        break;
    }
    return 10;
}

/// Level before rounding. The product is an integer, so that whole levels are exact: 250 ms is
/// level 7, not 6.999.
double level_of(nanoseconds latency, LatencyTrend trend, nanoseconds target)
{
    const auto clamped = std::clamp<nanoseconds>(latency, 0ms, 1min);
    return static_cast<double>(clamped.count() * weight(trend) * 14) /
           static_cast<double>(target.count() * 100);
}

unsigned round_down(double level)
{
    return static_cast<unsigned>(std::min<double>(level, max_optimization_level));
}

struct Reduction {
    unsigned bitrate_percent;
    std::chrono::milliseconds minimum_frame;
};
constexpr std::array<Reduction, max_optimization_level + 1> reductions{{{100, 0ms},
                                                                        {90, 0ms},
                                                                        {80, 0ms},
                                                                        {70, 0ms},
                                                                        {60, 0ms},
                                                                        {50, 20ms},
                                                                        {40, 20ms},
                                                                        {33, 40ms},
                                                                        {25, 40ms}}};
constexpr std::uint32_t minimum_bitrate = 16000; // bit/s

} // namespace

unsigned optimization_level(nanoseconds latency, LatencyTrend trend, nanoseconds target)
{
    return round_down(level_of(latency, trend, target));
}

bool OptimizerThresholds::permit_raise(const LatencyMonitor &latency) const
{
    if (std::max({current, average, jitter}) == 0ns)
        return true;
    const auto exceeds = [](nanoseconds value, nanoseconds threshold) {
        return threshold > 0ns && value > threshold;
    };
    return exceeds(latency.current(), current) || exceeds(latency.average(), average) ||
           exceeds(latency.jitter(), jitter);
}

wire::EncoderConfig optimized(const wire::EncoderConfig &preset, unsigned level)
{
    level = std::min(level, max_optimization_level);
    const auto &reduction = reductions[level];
    auto config = preset;
    config.complexity =
        preset.complexity * (max_optimization_level - level) / max_optimization_level;
    const auto bitrate = std::uint64_t{preset.bitrate} * reduction.bitrate_percent / 100;
    config.bitrate =
        std::max(static_cast<std::uint32_t>(bitrate), std::min(preset.bitrate, minimum_bitrate));
    const auto minimum_frame_size = static_cast<std::uint32_t>(
        preset.stream.sample_rate * reduction.minimum_frame.count() / 1000);
    config.stream.frame_size = std::max(preset.stream.frame_size, minimum_frame_size);
    return config;
}

bool Optimizer::record(nanoseconds latency, nanoseconds now)
{
    latency_.record(latency);
    last_frame_ = now;
    if (!next_evaluation_)
        next_evaluation_ = now + config_.interval;
    if (now < *next_evaluation_)
        return false;
    next_evaluation_ = now + config_.interval;
    return follow(evaluate(latency), now);
}

void Optimizer::restart(nanoseconds now)
{
    if (level_ > 0) {
        ++changes_;
        last_change_ = now;
    }
    latency_ = {};
    level_ = 0;
    targets_ = {};
    next_evaluation_.reset();
    cooling_since_.reset();
}

std::optional<nanoseconds> Optimizer::idle_deadline() const
{
    if (!next_evaluation_)
        return std::nullopt;
    return std::max(*next_evaluation_, last_frame_ + config_.interval);
}

bool Optimizer::on_idle(nanoseconds now)
{
    const auto deadline = idle_deadline();
    if (!deadline || now < *deadline)
        return false;
    next_evaluation_ = now + config_.interval;
    return follow(0, now);
}

unsigned Optimizer::evaluate(nanoseconds latency) const
{
    const auto exact = level_of(latency, latency_.trend(), config_.target);
    const auto raised = round_down(exact);
    const auto lowered = round_down(exact + config_.margin);
    if (raised > level_)
        return config_.thresholds.permit_raise(latency_) ? raised : level_;
    return std::min(lowered, level_);
}

unsigned Optimizer::agreed_level() const
{
    const auto latest = std::span(targets_).first(
        std::clamp(config_.evaluations, 1U, OptimizerConfig::maximum_evaluations));
    const auto [lowest, highest] = std::ranges::minmax(latest);
    return lowest > level_ ? lowest : std::min(highest, level_);
}

bool Optimizer::follow(unsigned target, nanoseconds now)
{
    std::shift_right(targets_.begin(), targets_.end(), 1);
    targets_.front() = target;
    if (latency_.samples() < config_.minimum_samples ||
        (cooling_since_ && now - *cooling_since_ < config_.cool_down))
        return false;
    const auto lowest = level_ - std::min(level_, config_.lower_step);
    const auto level = std::clamp(agreed_level(), lowest, level_ + config_.raise_step);
    if (level == level_)
        return false;
    level_ = level;
    ++changes_;
    last_change_ = cooling_since_ = now;
    return true;
}

} // namespace jkvm
