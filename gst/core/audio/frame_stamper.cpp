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
    // The other end decides what stands in the message, so there is no arithmetic with it before
    // this.
    const bool is_plausible = captured <= now.wall && captured >= now.wall - oldest_plausible;
    stats_.implausible_timestamps += is_plausible ? 0 : 1;
    // The first sample cannot be younger than the frame is long.
    const auto running = is_plausible ? now.running_of(captured) : now.running - duration;
    const auto latency = now.running - running;
    const auto stamp = is_plausible ? timeline_.place(running, duration)
                                    : timeline_.place_arrival(running, duration);

    ++stats_.frames;
    stats_.bytes += packet.size();
    stats_.lost += static_cast<std::uint64_t>(stamp.hole / duration);
    stats_.latency.record(latency);
    return StampedFrame{stamp.time, duration, latency, stamp.discontinuity};
}

} // namespace jkvm
