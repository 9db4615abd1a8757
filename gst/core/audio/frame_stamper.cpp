// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/audio/frame_stamper.h"

#include "core/audio/opus_packet.h"

namespace jkvm {

std::optional<FrameStamper::StampedFrame> FrameStamper::stamp(std::span<const std::byte> packet,
                                                              WallTime captured,
                                                              const ClockPair &now)
{
    const auto facts = opus_packet_facts(packet);
    if (!facts) {
        ++stats_.invalid;
        return std::nullopt;
    }
    const auto duration = facts->duration();
    const auto running = running_capture_time(captured, now, duration);
    const auto latency = now.running - running;
    const auto stamp = timeline_.place(running, duration);

    ++stats_.frames;
    stats_.bytes += packet.size();
    stats_.lost += static_cast<std::uint64_t>(stamp.hole / duration);
    stats_.latency.record(latency);
    return StampedFrame{stamp.time, duration, latency, stamp.discontinuity};
}

nanoseconds FrameStamper::running_capture_time(WallTime captured, const ClockPair &now,
                                               nanoseconds duration)
{
    const auto age = now.wall - captured;
    if (age >= nanoseconds(0) && age <= oldest_plausible)
        return now.running_of(captured);
    // The first sample cannot be younger than the frame is long.
    ++stats_.implausible_timestamps;
    return now.running - duration;
}

} // namespace jkvm
