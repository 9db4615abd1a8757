// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/playback/pointer_edge_detector.h"

#include <algorithm>

namespace jkvm {

using namespace std::chrono_literals;

std::optional<MonotonicTime> PointerEdgeDetector::on_reading(std::uint64_t pointer,
                                                             MonotonicTime now)
{
    const auto before = std::exchange(last_, Reading{pointer, now});
    if (!before) {
        known_at_ = now;
        return std::nullopt;
    }
    const auto interval = now - before->time;
    const bool has_moved = pointer != before->pointer;
    // After 200 ms without an edge, the readings may be 3.8 ms apart.
    const auto without_edge = now - known_at_;
    const nanoseconds max_interval =
        2 * resolution + std::max(without_edge - strict_time, 0ns) / 30;
    const bool is_edge = has_moved && interval <= max_interval;
    if (has_moved)
        misses_ = is_edge ? 0 : misses_ + 1;
    if (is_edge)
        learn_step(pointer - before->pointer);
    else if (!has_moved && interval >= resolution)
        fine_steps_ = 0;
    if (!has_moved || (!is_edge && !is_exact()))
        return std::nullopt;
    // A coarse pointer moved between the two readings: their midpoint has the smallest error.
    edge_ = Reading{pointer, is_exact() ? now : now - interval / 2};
    // If the machine is busy now, the next readings will be late, too.
    known_at_ = now - without_edge / 2;
    return edge_->time;
}

void PointerEdgeDetector::learn_step(std::uint64_t moved)
{
    // Between two readings an exact pointer advances by 0.5 ms at most, that of a USB device by at
    // least 1 ms.
    const bool is_fine = moved * 1000 <= rate_ * 3ULL / 4;
    fine_steps_ = is_fine ? std::min(fine_steps_ + 1, fine_steps_needed) : 0;
    step_ = moved;
}

void PointerEdgeDetector::restart()
{
    last_.reset();
    edge_.reset();
    step_ = 0;
    fine_steps_ = 0;
    misses_ = 0;
}

MonotonicTime PointerEdgeDetector::next_reading(const PlaybackClock &clock,
                                                MonotonicTime earliest) const
{
    if (!last_)
        return earliest;
    earliest = std::max(earliest, last_->time);
    if (is_exact())
        return earliest;
    const auto poll = std::max(earliest, last_->time + resolution);
    if (!edge_ || step_ == 0 || clock.observations() == 0)
        return poll;
    const auto edge_time = clock.time_of(edge_->pointer);
    const auto step_time = clock.time_of(edge_->pointer + step_) - edge_time;
    const auto margin = lead();
    const auto since_edge = poll + margin - edge_time;
    if (step_time <= 0ns || since_edge < 0ns)
        return poll;
    const auto steps = static_cast<std::uint64_t>(since_edge / step_time) + 1;
    if (last_->pointer < edge_->pointer + (steps - 1) * step_)
        return poll; // the pointer is overdue
    return std::max(poll, clock.time_of(edge_->pointer + steps * step_) - margin);
}

nanoseconds PointerEdgeDetector::lead() const
{
    // The first reading after a pause always finds a movement. If further ones find it too late,
    // the predictions are late.
    constexpr int max_doublings = 6;
    return resolution * (1 << std::clamp(misses_ - 1, 0, max_doublings));
}

} // namespace jkvm
