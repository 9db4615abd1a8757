// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/playback/timestamp_rate.h"

#include <algorithm>
#include <cmath>

namespace jkvm {

using namespace std::chrono_literals;

namespace {

// Timestamps are rounded: a packet continues the previous one if it begins this close to its end.
constexpr nanoseconds rounding = 2us;
// Maximum difference between intervals of stretched timestamps, in ppm; jitter is larger.
constexpr double agreement = 100;
// A due time that deviates by more than this has jumped, for example because the latency changed.
constexpr nanoseconds clock_step = 2ms;

double excess(nanoseconds actual, nanoseconds nominal)
{
    return 1e6 * (static_cast<double>(actual.count()) / static_cast<double>(nominal.count()) - 1);
}

} // namespace

double TimestampRate::next(const Packet &packet)
{
    follow_clock(packet);
    const double stretch = packet.samples > 0ns ? stretch_of(packet) : 0;
    before_ = packet;
    return stretch - clock_.ppm();
}

double TimestampRate::stretch_of(const Packet &packet)
{
    const double by_duration =
        packet.duration > 0ns ? excess(packet.duration, packet.samples) : largest_stretch + 1;
    if (!before_) {
        interval_count_ = 0;
        return std::abs(by_duration) <= largest_stretch ? by_duration : 0;
    }
    const double interval = excess(packet.timestamp - before_->timestamp, before_->samples);
    const bool is_continuous =
        std::chrono::abs(packet.timestamp - before_->timestamp - before_->duration) <= rounding;
    intervals_.at(interval_count_++ % intervals_needed) = interval;
    if (std::abs(interval) > largest_stretch)
        interval_count_ = 0;
    if (is_continuous && std::abs(by_duration) <= largest_stretch)
        return by_duration;
    const auto [low, high] = std::ranges::minmax(intervals_);
    return interval_count_ >= intervals_needed && high - low <= agreement ? (low + high) / 2 : 0;
}

void TimestampRate::follow_clock(const Packet &packet)
{
    const auto due = packet.due.time_since_epoch();
    const bool goes_back = before_ && packet.timestamp < before_->timestamp;
    if (has_clock_ && !goes_back &&
        std::chrono::abs(clock_.time_at(packet.timestamp) - due) > clock_step)
        clock_.restart_at_known_rate();
    if (goes_back)
        clock_.restart();
    has_clock_ = true;
    clock_.update(packet.timestamp, due);
}

void TimestampRate::restart()
{
    before_.reset();
    interval_count_ = 0;
    clock_.restart();
    has_clock_ = false;
}

} // namespace jkvm
