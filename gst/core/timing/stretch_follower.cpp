// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/timing/stretch_follower.h"

#include <algorithm>
#include <utility>

namespace jkvm {

std::optional<nanoseconds> StretchFollower::next(nanoseconds captured, nanoseconds placed,
                                                 nanoseconds duration)
{
    const auto before = std::exchange(before_, Frame{captured, duration});
    if (!before)
        return std::nullopt;
    excess_.at(count_++ % excess_.size()) = captured - before->captured - before->duration;
    const auto [low, high] = std::ranges::minmax(excess_);
    const auto error = captured - placed;
    if (count_ < excess_.size() || high - low > agreement || std::chrono::abs(error) > max_error)
        return std::nullopt;
    // The error is that of a few frames: the intervals had to agree before they were followed.
    constexpr int correction_frames = 8;
    const auto middle = excess_[0] + excess_[1] + excess_[2] - low - high;
    const auto limit = std::chrono::duration_cast<nanoseconds>(duration * max_stretch);
    return duration + std::clamp(middle + error / correction_frames, -limit, limit);
}

} // namespace jkvm
