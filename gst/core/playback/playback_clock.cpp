// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/playback/playback_clock.h"

namespace jkvm {

void PlaybackClock::observe(std::uint64_t frame, MonotonicTime time)
{
    ++observations_;
    filter_.update(to_time(frame), time.time_since_epoch());
}

void PlaybackClock::restart()
{
    observations_ = 0;
    filter_.restart_at_known_rate();
}

MonotonicTime PlaybackClock::time_of(std::uint64_t frame) const
{
    return MonotonicTime(filter_.time_at(to_time(frame)));
}

nanoseconds PlaybackClock::to_time(std::uint64_t frames) const
{
    const std::chrono::seconds seconds(frames / rate_);
    const nanoseconds second = std::chrono::seconds(1);
    return seconds + second * (frames % rate_) / rate_;
}

} // namespace jkvm
