// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/ipc/send/frame_hold.h"

#include <utility>

namespace jkvm {

std::size_t FrameHold::add(std::span<const std::byte> packet, WallTime captured,
                           nanoseconds duration, MonotonicTime now)
{
    if (duration > limit_)
        return 1;
    auto dropped = expire(now);
    frames_.push_back({{packet.begin(), packet.end()}, captured, duration, now});
    duration_ += duration;
    while (duration_ > limit_) {
        drop_oldest();
        ++dropped;
    }
    return dropped;
}

std::size_t FrameHold::expire(MonotonicTime now)
{
    std::size_t dropped = 0;
    while (!frames_.empty() && now - frames_.front().added > limit_) {
        drop_oldest();
        ++dropped;
    }
    return dropped;
}

std::deque<FrameHold::HeldFrame> FrameHold::take()
{
    duration_ = nanoseconds(0);
    return std::exchange(frames_, {});
}

void FrameHold::drop_oldest()
{
    duration_ -= frames_.front().duration;
    frames_.pop_front();
}

} // namespace jkvm
