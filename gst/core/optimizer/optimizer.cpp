// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/optimizer/optimizer.h"

#include <algorithm>
#include <array>
#include <utility>

namespace jkvm {

namespace {

using namespace std::chrono_literals;

// Levels.
constexpr double clearance = 0.25;

/// In tenths.
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

/// Before it is rounded down. The product is a whole number, so that the result is exact where the
/// quotient is: at 250 ms the level is 7, not 6.999.
double level_of(nanoseconds latency, LatencyTrend trend)
{
    const auto counted = std::clamp<nanoseconds>(latency, 0ms, 1s);
    return static_cast<double>(counted.count() * weight(trend) * 14) /
           static_cast<double>(nanoseconds(50ms).count() * 100);
}

unsigned round_down(double level)
{
    return std::min(static_cast<unsigned>(level), max_optimization_level);
}

struct Saving {
    unsigned bitrate_percent;
    std::chrono::milliseconds shortest_frame;
};
constexpr std::array<Saving, max_optimization_level + 1> savings{{{100, 0ms},
                                                                  {90, 0ms},
                                                                  {80, 0ms},
                                                                  {70, 0ms},
                                                                  {60, 0ms},
                                                                  {50, 20ms},
                                                                  {40, 20ms},
                                                                  {33, 40ms},
                                                                  {25, 40ms}}};
constexpr std::uint32_t lowest_bitrate = 16000; // bit/s

} // namespace

unsigned optimization_level(nanoseconds latency, LatencyTrend trend)
{
    return round_down(level_of(latency, trend));
}

wire::EncoderConfig optimized(const wire::EncoderConfig &preset, unsigned level)
{
    level = std::min(level, max_optimization_level);
    const auto &saving = savings[level];
    auto config = preset;
    config.complexity =
        preset.complexity * (max_optimization_level - level) / max_optimization_level;
    const auto bitrate = std::uint64_t{preset.bitrate} * saving.bitrate_percent / 100;
    config.bitrate =
        std::max(static_cast<std::uint32_t>(bitrate), std::min(preset.bitrate, lowest_bitrate));
    const auto shortest = static_cast<std::uint32_t>(preset.stream.sample_rate *
                                                     saving.shortest_frame.count() / 1000);
    config.stream.frame_size = std::max(preset.stream.frame_size, shortest);
    return config;
}

bool Optimizer::record(nanoseconds latency, nanoseconds now)
{
    latency_.record(latency);
    last_frame_ = now;
    if (!next_asking_)
        next_asking_ = now + config_.interval;
    if (now < *next_asking_)
        return false;
    next_asking_ = now + config_.interval;
    return follow(wanted_level(latency), now);
}

void Optimizer::restart(nanoseconds now)
{
    if (level_ > 0) {
        ++changes_;
        last_change_ = now;
    }
    latency_ = {};
    level_ = wanted_before_ = 0;
    next_asking_.reset();
    cooling_since_.reset();
}

std::optional<nanoseconds> Optimizer::next_look() const
{
    if (!next_asking_)
        return std::nullopt;
    return std::max(*next_asking_, last_frame_ + config_.interval);
}

bool Optimizer::look(nanoseconds now)
{
    const auto time = next_look();
    if (!time || now < *time)
        return false;
    next_asking_ = now + config_.interval;
    return follow(0, now);
}

unsigned Optimizer::wanted_level(nanoseconds latency) const
{
    const auto exact = level_of(latency, latency_.trend());
    // To go up, the formula's; to go down, one that is clear.
    const auto up = round_down(exact);
    const auto down = round_down(exact + clearance);
    return up > level_ ? up : std::min(down, level_);
}

bool Optimizer::follow(unsigned wanted, nanoseconds now)
{
    const auto before = std::exchange(wanted_before_, wanted);
    if (cooling_since_ && now - *cooling_since_ < config_.cool_down)
        return false;
    const auto level = wanted > level_ ? std::max(std::min(wanted, before), level_)
                                       : std::min(std::max(wanted, before), level_);
    if (level == level_)
        return false;
    level_ = level;
    ++changes_;
    last_change_ = cooling_since_ = now;
    return true;
}

} // namespace jkvm
