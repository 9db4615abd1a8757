// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/optimizer/optimizer.h"

#include <algorithm>
#include <array>
#include <utility>

namespace jkvm {

namespace {

using namespace std::chrono_literals;

// Margin required before the level is lowered (levels).
constexpr double hysteresis = 0.25;

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
double level_of(nanoseconds latency, LatencyTrend trend)
{
    const auto clamped = std::clamp<nanoseconds>(latency, 0ms, 1s);
    return static_cast<double>(clamped.count() * weight(trend) * 14) /
           static_cast<double>(nanoseconds(50ms).count() * 100);
}

unsigned round_down(double level)
{
    return std::min(static_cast<unsigned>(level), max_optimization_level);
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

unsigned optimization_level(nanoseconds latency, LatencyTrend trend)
{
    return round_down(level_of(latency, trend));
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
    level_ = previous_target_ = 0;
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
    const auto exact = level_of(latency, latency_.trend());
    const auto raised = round_down(exact);
    const auto lowered = round_down(exact + hysteresis);
    return raised > level_ ? raised : std::min(lowered, level_);
}

bool Optimizer::follow(unsigned target, nanoseconds now)
{
    const auto previous = std::exchange(previous_target_, target);
    if (cooling_since_ && now - *cooling_since_ < config_.cool_down)
        return false;
    const auto level = target > level_ ? std::max(std::min(target, previous), level_)
                                       : std::min(std::max(target, previous), level_);
    if (level == level_)
        return false;
    level_ = level;
    ++changes_;
    last_change_ = cooling_since_ = now;
    return true;
}

} // namespace jkvm
