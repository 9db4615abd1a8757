// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/playback/playback_clock.h"

#include <algorithm>

namespace jkvm {

void PlaybackClock::observe(std::uint64_t frame, MonotonicTime time)
{
    ++observations_;
    filter_.update(to_time(frame), time.time_since_epoch());
}

void PlaybackClock::restart()
{
    observations_ = 0;
    pitch_frame_ = 0;
    pitch_time_ = nanoseconds(0);
    filter_.restart_at_known_rate();
}

MonotonicTime PlaybackClock::time_of(std::uint64_t frame) const
{
    return MonotonicTime(filter_.time_at(to_time(frame)));
}

void PlaybackClock::set_pitch(double pitch, std::uint64_t frame)
{
    pitch_time_ = to_time(frame);
    pitch_frame_ = frame;
    pitch_ = pitch;
}

std::uint64_t PlaybackClock::frame_at(MonotonicTime time) const
{
    const std::chrono::duration<double> since = time - time_of(pitch_frame_);
    const double frames = since.count() * rate_ * pitch_ * (1 + ppm() * 1e-6);
    return static_cast<std::uint64_t>(std::max(0.0, static_cast<double>(pitch_frame_) + frames));
}

nanoseconds PlaybackClock::to_time(std::uint64_t frame) const
{
    if (pitch_ == 1)
        return pitch_time_ + (frame >= pitch_frame_ ? duration_of(frame - pitch_frame_)
                                                    : -duration_of(pitch_frame_ - frame));
    const double frames = static_cast<double>(frame) - static_cast<double>(pitch_frame_);
    return pitch_time_ + std::chrono::duration_cast<nanoseconds>(
                             std::chrono::duration<double>(frames / rate_ / pitch_));
}

nanoseconds PlaybackClock::duration_of(std::uint64_t frames) const
{
    const std::chrono::seconds seconds(frames / rate_);
    const nanoseconds second = std::chrono::seconds(1);
    return seconds + second * (frames % rate_) / rate_;
}

} // namespace jkvm
